"""Names, as programs in the cluster find them: by libc, by nginx' own resolver, by a question to the server itself."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests import dns
from tests.dns import AAAA, NOERROR, NXDOMAIN, Reply

from .house import NAMESPACE, PATIENCE, Kubectl, Supervisor, becomes

ADDON = "io.hass.addon=core_mosquitto"
SERVERS = "io.hass.type=dns"
HOSTNAME = "core-mosquitto"
DOMAINS = ("", ".local.hass.io")
CORE = ("homeassistant-0", "homeassistant")
DIGIT_STORE = "http://git-server.git-server.svc/core.git"
"""The local cluster's store under another name of its server, as a user's own store."""
DIGIT = "55cb2393"
"""What the slugs of its add-ons begin with: a hash of that address."""
SOON = 20.0
"""Seconds for a name to be right: it takes below 2, and a minute where servers' volumes are not touched."""
LOOKUP = """
import json, socket, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)})
    except socket.gaierror as error:
        found[name] = []
print(json.dumps(found))
"""
LISTEN = """
error_log stderr notice;
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; scgi_temp_path /tmp/d;
    uwsgi_temp_path /tmp/e;
    resolver SERVER;
    server {
        listen 8099;
        location ~ ^/([^/]+)(/.*)$ {
            set $name $1;
            proxy_pass http://$name$2;
        }
    }
}
"""


async def looked_up(kubectl: Kubectl, pod: str, container: str, *names: str) -> Mapping[str, list[str]]:
    """What libc finds in a container, by name."""
    out = await kubectl.run("exec", pod, "-c", container, "--", "python3", "-c", LOOKUP, *names)
    found: dict[str, list[str]] = json.loads(out)
    return found


@pytest.fixture
async def server(supervisor: Supervisor) -> str:
    """The address that add-ons are told."""
    host: str = (await supervisor.get("/dns/info")).data["host"]
    return host


@pytest.fixture(autouse=True)
async def core_asks_us(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """A Core that was launched before there was a server of names asks it from its next start on."""
    if (await kubectl.pod("io.hass.type=homeassistant"))["spec"]["dnsPolicy"] != "None":
        assert (await supervisor.post("/core/restart")).status == 200


@pytest.fixture
async def started(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> dict[str, Any]:
    """The pod of a started add-on, made by this Supervisor."""
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    return await kubectl.pod(ADDON)


async def expected(kubectl: Kubectl, server: str) -> dict[str, str]:
    """Names that are always there."""
    supervisor, core = await kubectl.address("supervisor"), await kubectl.address("homeassistant")
    own = {"supervisor": supervisor, "hassio": supervisor, "dns": server}
    return {**own, "homeassistant": core, "home-assistant": core}


async def shown(server: str, name: str, wanted: Reply, *, within: float = PATIENCE) -> float:
    """Seconds until the server says so: each replica has its own file, so that several answers in a row count."""
    begin = time.monotonic()

    async def settled() -> bool:
        return all([await dns.ask(server, name) == wanted for _ in range(6)])

    await becomes(settled, what=f"{name} is {wanted}", within=within)
    return time.monotonic() - begin


async def test_an_addon_and_core_find_every_name(kubectl: Kubectl, server: str, started: dict[str, Any]) -> None:
    """By libc, with and without domain; the cluster's Services, too, and nobody who does not exist."""
    name, address = started["metadata"]["name"], started["status"]["podIP"]
    await shown(server, HOSTNAME, Reply(NOERROR, (address,)))
    names = {**await expected(kubectl, server), HOSTNAME: address}
    wanted = {f"{form}{domain}": [found] for form, found in names.items() for domain in DOMAINS}
    wanted |= {"nobody.local.hass.io": []}
    # A pod has its own host name in its /etc/hosts.
    others = {key: value for key, value in wanted.items() if key != HOSTNAME}
    service = "kubernetes.default.svc.cluster.local"
    for pod, container, own in ((name, "addon", others), (*CORE, wanted)):
        found = dict(await looked_up(kubectl, pod, container, *own, service))
        assert found.pop(service) != [], pod
        assert found == own, pod


async def test_the_server_answers_directly(kubectl: Kubectl, server: str, started: dict[str, Any]) -> None:
    """As `dig @<host>` asks: the address, nothing for IPv6, and an end to what does not exist."""
    names = {**await expected(kubectl, server), HOSTNAME: started["status"]["podIP"]}
    await shown(server, HOSTNAME, Reply(NOERROR, (names[HOSTNAME],)))
    for name, address in names.items():
        for domain in DOMAINS:
            assert await dns.ask(server, f"{name}{domain}") == Reply(NOERROR, (address,)), name
            assert await dns.ask(server, f"{name}{domain}", AAAA) == Reply(NOERROR), name
    assert await dns.ask(server, "nobody.local.hass.io") == Reply(NXDOMAIN)


async def test_nginx_finds_names_by_its_own_resolver(kubectl: Kubectl, server: str) -> None:
    """It knows no search domains, asks for IPv6 as well, and takes one error for both."""
    async with proxy(kubectl, server) as pod:
        for name in ("supervisor", "supervisor.local.hass.io", "hassio"):
            url = f"http://127.0.0.1:8099/{name}/supervisor/ping"
            code = f"import urllib.request as u; print(u.urlopen('{url}', timeout=20).status)"
            assert await kubectl.run("exec", pod, "--", "python3", "-c", code) == "200\n", name


@asynccontextmanager
async def proxy(kubectl: Kubectl, server: str) -> AsyncIterator[str]:
    """A pod with nginx that is sent to the host in the path's first part."""
    image = (await kubectl.json("get", "deployment", "supervisor"))["spec"]["template"]["spec"]["containers"][0][
        "image"
    ]
    script = 'printf "%s" "$1" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g "daemon off;"'
    container = {
        "name": "nginx", "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script, "sh", LISTEN.replace("SERVER", server)],
        "readinessProbe": {"tcpSocket": {"port": 8099}, "periodSeconds": 1},
    }  # fmt: skip
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    name = "names-by-nginx"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
    await kubectl.run("apply", "-f", "-", stdin=json.dumps(pod))
    try:
        await kubectl.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=90s")
        yield name
    finally:
        await kubectl.run("delete", "pod", name, "--ignore-not-found")


async def test_a_name_goes_with_its_addon_and_comes_back_right(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str, server: str, started: dict[str, Any]
) -> None:
    """Stopped, it is not found; restarted, it is found where it is now."""
    name = f"{HOSTNAME}.local.hass.io"
    await shown(server, name, Reply(NOERROR, (started["status"]["podIP"],)))
    assert (await supervisor.post(f"/addons/{mosquitto}/stop")).status == 200
    await shown(server, name, Reply(NXDOMAIN))
    assert (await looked_up(kubectl, *CORE, name))[name] == []
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    address = (await kubectl.pod(ADDON))["status"]["podIP"]
    first = await shown(server, name, Reply(NOERROR, (address,)), within=SOON)
    assert (await supervisor.post(f"/addons/{mosquitto}/restart")).status == 200
    address = (await kubectl.pod(ADDON))["status"]["podIP"]
    second = await shown(server, name, Reply(NOERROR, (address,)), within=SOON)
    print(f"new addresses were right {first:.2f} and {second:.2f} s after the API had said started")
    assert (await looked_up(kubectl, *CORE, name))[name] == [address]


@pytest.mark.usefixtures("mosquitto")
async def test_a_digit_may_be_in_front(kubectl: Kubectl, supervisor: Supervisor, server: str) -> None:
    """As in the names of most add-ons that are not Home Assistant's own: no Service could be called like that. The
    other broker, which would have the same port, is stopped.
    """
    assert (await supervisor.post("/store/repositories", repository=DIGIT_STORE)).status == 200
    slug, hostname = f"{DIGIT}_mosquitto", f"{DIGIT}-mosquitto"
    try:
        for verb in (f"/store/addons/{slug}/install", f"/addons/{slug}/start"):
            assert (await supervisor.post(verb)).status == 200
        pod = await kubectl.pod(f"io.hass.addon={slug}")
        assert pod["spec"]["hostname"] == hostname
        for domain in DOMAINS:
            await shown(server, f"{hostname}{domain}", Reply(NOERROR, (pod["status"]["podIP"],)))
        names = [f"{hostname}{domain}" for domain in DOMAINS]
        assert await looked_up(kubectl, *CORE, *names) == {key: [pod["status"]["podIP"]] for key in names}
    finally:
        await supervisor.post(f"/addons/{slug}/uninstall")
        assert (await supervisor.delete(f"/store/repositories/{DIGIT}")).status == 200


async def test_one_replica_is_enough(kubectl: Kubectl, server: str) -> None:
    """While one is killed, Core finds every name each time it asks."""
    names = [name for name in await expected(kubectl, server) if name != "dns"]
    killed = (await kubectl.pods(SERVERS))[0]["metadata"]["name"]
    enough, begun = asyncio.Event(), asyncio.Event()

    async def ask_all_the_time() -> None:
        while not enough.is_set():
            found = await looked_up(kubectl, *CORE, *names)
            assert all(found.values()), found
            begun.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask_all_the_time())
        await begun.wait()
        await kubectl.run("delete", "pod", killed, "--grace-period=0", "--force")
        await becomes(lambda: all_ready(kubectl), what="two servers are ready", within=180)
        enough.set()


async def all_ready(kubectl: Kubectl) -> bool:
    deployment = await kubectl.json("get", "deployment", "supervisor-dns")
    status = deployment["status"]
    return bool(
        status.get("readyReplicas") == status.get("replicas") == status.get("updatedReplicas") == 2
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
    )


async def test_our_names_outlive_the_clusters_dns(kubectl: Kubectl, server: str, started: dict[str, Any]) -> None:
    """Without it, names of the house are found all the same; with it, the cluster's are found again."""
    address = started["status"]["podIP"]
    await shown(server, HOSTNAME, Reply(NOERROR, (address,)))
    await kubectl.run("-n", "kube-system", "scale", "deployment", "coredns", "--replicas=0")
    try:
        await kubectl.run("-n", "kube-system", "wait", "--for=delete", "pod", "-l", "k8s-app=kube-dns", "--timeout=90s")
        names = {**await expected(kubectl, server), HOSTNAME: address}
        wanted = {f"{name}{domain}": [found] for name, found in names.items() for domain in DOMAINS}
        assert await looked_up(kubectl, *CORE, *wanted) == wanted
        assert (await looked_up(kubectl, started["metadata"]["name"], "addon", "supervisor"))["supervisor"]
    finally:
        await kubectl.run("-n", "kube-system", "scale", "deployment", "coredns", "--replicas=1")
        await kubectl.run("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")
    elsewhere = "git-server.git-server.svc.cluster.local"

    async def found() -> bool:
        reply = await dns.ask(server, elsewhere)
        return reply is not None and reply.addresses != ()

    await becomes(found, what=f"{elsewhere} is found")


async def test_a_restart_and_other_servers_interrupt_nobody(
    kubectl: Kubectl, supervisor: Supervisor, server: str
) -> None:
    """New pods at the same address; the user's servers are kept and asked, and our own names stay."""
    before = {pod["metadata"]["name"] for pod in await kubectl.pods(SERVERS)}
    assert (await supervisor.post("/dns/restart")).status == 200

    async def renewed() -> bool:
        now = {pod["metadata"]["name"] for pod in await kubectl.pods(SERVERS)}
        return await all_ready(kubectl) and not now & before

    await becomes(renewed, what="new servers", within=180)
    clusters = (await kubectl.json("-n", "kube-system", "get", "service", "kube-dns"))["spec"]["clusterIP"]
    assert (await supervisor.post("/dns/options", servers=[f"dns://{clusters}"])).status == 200
    try:
        info = (await supervisor.get("/dns/info")).data
        assert (info["host"], info["servers"]) == (server, [f"dns://{clusters}"])

        async def reloaded() -> bool:
            return "Reloading complete" in (await supervisor.get("/dns/logs")).body["message"]

        await becomes(reloaded, what="the server has read its new configuration", within=120)
        assert (await looked_up(kubectl, *CORE, "supervisor"))["supervisor"] == [await kubectl.address("supervisor")]
    finally:
        assert (await supervisor.post("/dns/reset")).status == 200
    assert (await supervisor.get("/dns/info")).data["servers"] == []
