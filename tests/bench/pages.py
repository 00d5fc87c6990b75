"""On the local cluster with a house in it: an add-on's page straight from its pod, through an nginx in a pod of its
own, and through us. What serves the page is Python, too; it is the same on all three ways.
"""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from tests.bench.figure import Figure, NotRun, spread
from tests.bench.house import NOT_HERE, OURS, is_up_here, supervisor_of
from tests.bench.ways import REQUESTS, SMALL, Way, Ways, answering, each_in_turn, sending, times
from tests.bench.wire import time_each
from tests.e2e.house import NAMESPACE, Kubectl, Supervisor
from tests.e2e.pages import PAGES, installed

NAMES = ("ingress: 1 kB", "ingress: 1 kB, many at once", "ingress: 100 MB", "ingress: websocket")
PORT = 8099
AIM, TIMES = 1.0, 2.0
"""Milliseconds longer than nginx, and its time by this: half of its requests or bytes per second."""
NGINX = "bench-nginx"
CONFIGURATION = """
error_log stderr notice;
pid /tmp/nginx.pid;
worker_processes 1;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; scgi_temp_path /tmp/d;
    uwsgi_temp_path /tmp/e;
    keepalive_requests 1000000;
    map $http_upgrade $wanted { default upgrade; "" ""; }
    upstream page { server PAGE; keepalive 32; keepalive_requests 1000000; }
    server {
        listen 8099;
        location / {
            proxy_pass http://page;
            proxy_http_version 1.1;
            proxy_set_header Connection $wanted;
            proxy_set_header Upgrade $http_upgrade;
            proxy_max_temp_file_size 0;
        }
    }
}
"""


async def passing(*, rounds: int) -> list[Figure | NotRun]:
    """All figures of ingress, from the node: all three servers are pods on it."""
    kubectl = Kubectl()
    if not await is_up_here(kubectl):
        return [NotRun(names=NAMES, why=NOT_HERE)]
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        supervisor = await stack.enter_async_context(supervisor_of(kubectl))
        await stack.enter_async_context(installed(supervisor))
        ways = await stack.enter_async_context(_ways(kubectl, supervisor))
        latencies = await each_in_turn(ways, answering, rounds=rounds, say="ingress, 1 kB")
        several = await each_in_turn(ways, _several, rounds=rounds, say="ingress, 1 kB, many at once")
        large = await each_in_turn(ways, sending, rounds=max(3, rounds // 3), say="ingress, 100 MB")
        trips = await each_in_turn(ways, lambda way: _round_trip(session, way), rounds=rounds, say="ingress, websocket")
    return [
        _longer("ingress: 1 kB through us, longer than through nginx", latencies),
        times("ingress: 1 kB, many at once, time for each by nginx'", several, unit="ms", scale=1000, aim=TIMES),
        times("ingress: 100 MB through us by through nginx", large, unit="s", aim=TIMES),
        _longer("ingress: websocket round trip, longer than by nginx", trips),
    ]


@asynccontextmanager
async def _ways(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[Ways]:
    """Direct, through nginx, through us."""
    info = (await supervisor.get(f"/addons/{PAGES}/info")).data
    token = info["ingress_entry"].rpartition("/")[2]
    user = await _session(kubectl)
    (own,) = [pod for pod in await kubectl.pods(OURS) if "deletionTimestamp" not in pod["metadata"]]
    image = own["spec"]["containers"][0]["image"]
    script = 'printf "%s" "$1" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g "daemon off;"'
    text = CONFIGURATION.replace("PAGE", f"{info['ip_address']}:{PORT}")
    container = {
        "name": "nginx", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script, "sh", text],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }  # fmt: skip
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NGINX, "namespace": NAMESPACE}, "spec": spec}
    await kubectl.run("apply", "-f", "-", stdin=json.dumps(pod))
    try:
        await kubectl.run("wait", "--for=condition=Ready", f"pod/{NGINX}", "--timeout=90s")
        nginx = (await kubectl.json("get", "pod", NGINX))["status"]["podIP"]
        ours = Way(own["status"]["podIP"], 8080, f"/ingress/{token}/", f"ingress_session={user}")
        # The first request after an add-on's start is another thing: its connection does not stay.
        with ours.wire(SMALL):
            pass
        yield Way(info["ip_address"], PORT), Way(nginx, PORT), ours
    finally:
        await kubectl.run("delete", "pod", NGINX, "--ignore-not-found")


async def _session(kubectl: Kubectl) -> str:
    """As Core asks for one; nobody else may."""
    ask = 'curl -sf -X POST -H "Authorization: Bearer $SUPERVISOR_TOKEN" http://supervisor/ingress/session'
    answer = await kubectl.run("exec", "homeassistant-0", "-c", "homeassistant", "--", "sh", "-c", ask)
    session: str = json.loads(answer)["data"]["session"]
    return session


async def _several(way: Way) -> float:
    return await asyncio.to_thread(time_each, lambda: way.wire(SMALL), REQUESTS)


async def _round_trip(session: aiohttp.ClientSession, way: Way) -> float:
    message, taken = "x" * SMALL, []
    url = f"http://{way.host}:{way.port}{way.prefix}echo"
    async with session.ws_connect(url, headers=way.headers) as socket, asyncio.timeout(60):
        for _ in range(REQUESTS):
            began = time.perf_counter()
            await socket.send_str(message)
            assert await socket.receive_str() == message
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _longer(name: str, taken: Sequence[Sequence[float]]) -> Figure:
    direct, nginx, ours = taken
    sides = {"direct": direct, "nginx": nginx, "ours": ours}
    medians = {side: f"{statistics.median(values) * 1000:.2f} ms" for side, values in sides.items()}
    differences = [1000 * (mine - theirs) for theirs, mine in zip(nginx, ours, strict=True)]
    return spread(name, differences, unit="ms", aim=AIM, **medians)
