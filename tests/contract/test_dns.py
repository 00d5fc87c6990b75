"""`/dns/…`: where names are asked for, and who else is asked."""

from typing import Any

import pytest

from supervisor_k8s.model import naming

from .house import Home

LOG = "[INFO] plugin/reload: Running configuration"


def live(home: Home, kind: str) -> dict[str, Any]:
    """The server's object of this kind."""
    found = home.cluster.get(kind, naming.DNS)
    assert found is not None
    return found


async def test_the_server_is_where_pods_ask(shared: Home) -> None:
    """Add-ons write the host into their nginx; it is the address in Core's pod, and `/network/info` says the same."""
    info = (await shared.raw("GET", "/dns/info")).data
    address = live(shared, "Service")["spec"]["clusterIP"]
    assert info["host"] == address
    assert (info["servers"], info["fallback"], info["mdns"]) == ([], False, False)
    assert (await shared.client().network.info()).docker.dns.compressed == address
    (pod,) = shared.cluster.select("Pod", {naming.LABEL_TYPE: naming.TYPE_CORE})
    assert pod["spec"]["dnsConfig"]["nameservers"] == [address]


async def test_servers_are_kept_until_a_reset(home: Home) -> None:
    """As upstream writes them; they reach the server's configuration, and a restart of ours forgets nothing."""
    servers = ["dns://192.0.2.53", "dns://192.0.2.54"]
    assert (await home.raw("POST", "/dns/options", json={"servers": servers})).data == {}
    assert (await home.raw("GET", "/dns/info")).data["servers"] == servers
    assert "forward . 192.0.2.53 192.0.2.54 " in live(home, "ConfigMap")["data"]["Corefile"]
    address = live(home, "Service")["spec"]["clusterIP"]
    await home.stop()
    await home.start()
    info = (await home.raw("GET", "/dns/info")).data
    assert (info["host"], info["servers"]) == (address, servers)
    assert (await home.raw("POST", "/dns/reset")).data == {}
    assert (await home.raw("GET", "/dns/info")).data["servers"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"servers": ["192.0.2.53"]},
        {"servers": ["dns://2001:db8::53"]},
        {"servers": ["dns://192.0.2.53"] * 9},
        {"servers": ["dns://127.0.0.1"]},
        {"fallback": True},
        {"other": 1},
    ],
)
async def test_what_cannot_be_is_refused(shared: Home, body: dict[str, Any]) -> None:
    """And nothing has changed then."""
    assert (await shared.raw("POST", "/dns/options", json=body)).status == 400
    assert (await shared.raw("GET", "/dns/info")).data["servers"] == []


async def test_a_restart_makes_new_pods(home: Home) -> None:
    """By another template; the address stays."""
    before = live(home, "Deployment")["spec"]["template"], live(home, "Service")["spec"]["clusterIP"]
    assert (await home.raw("POST", "/dns/restart")).data == {}
    after = live(home, "Deployment")["spec"]["template"], live(home, "Service")["spec"]["clusterIP"]
    assert (after[0] != before[0], after[1]) == (True, before[1])


async def test_log_and_figures(home: Home) -> None:
    """Those of a replica; each line with time and name, as upstream's."""
    (pod,) = home.cluster.select("Pod", {naming.LABEL_TYPE: naming.TYPE_DNS})
    home.cluster.say(pod["metadata"]["name"], "coredns", LOG)
    assert f" hassio_dns: {LOG}" in (await home.raw("GET", "/dns/logs")).text
    assert (await home.raw("GET", "/dns/stats")).data["cpu_percent"] == 0.0
