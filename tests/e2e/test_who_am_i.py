"""Who am I: the first thing that a program of an add-on asks, before its node has said that it runs."""

import ipaddress
import json
from typing import Any

from .house import Kubectl, Supervisor, becomes

LINE = "WHO AM I "


async def told(supervisor: Supervisor, slug: str) -> dict[str, Any] | None:
    """What the add-on heard, as it wrote it to its log at its present start."""
    log: str = (await supervisor.get(f"/addons/{slug}/logs")).body["message"]
    lines = [line.partition(LINE)[2] for line in log.splitlines() if LINE in line]
    heard: dict[str, Any] | None = json.loads(lines[-1]) if lines else None
    return heard


async def test_an_addon_is_told_who_it_is_in_its_first_second(
    kubectl: Kubectl, supervisor: Supervisor, pages: str
) -> None:
    """Address, name, ports and ingress are what the pod has and what everybody is told later."""
    heard = await becomes(lambda: told(supervisor, pages), what="the add-on says what it was told")
    assert heard is not None
    print(f"asked {heard['began']:.2f} s after the start of the program, was told in {heard['took']:.2f} s")
    pod = await kubectl.pod(f"io.hass.addon={pages}")
    info, later = heard["told"]["/addons/self/info"], (await supervisor.get(f"/addons/{pages}/info")).data
    assert info["ip_address"] == heard["address"] == pod["status"]["podIP"]
    assert info["hostname"] == heard["hostname"] == "local-pages"
    assert info["network"] == {"9000/tcp": 9001, "9002/udp": None}
    assert info["ingress_entry"].startswith("/api/hassio_ingress/")
    assert info["ingress_url"] == f"{info['ingress_entry']}/"
    for key in ("ip_address", "hostname", "dns", "network", "ingress_entry", "ingress_url", "ingress_port"):
        assert info[key] == later[key], key
    network = heard["told"]["/network/info"]
    (interface,) = network["interfaces"]
    assert interface["interface"] == "eth0"
    where = ("exec", pod["metadata"]["name"], "-c", "addon", "--", "cat", "/sys/class/net/eth0/address")
    assert interface["mac"] == (await kubectl.run(*where)).strip()
    assert [str(ipaddress.ip_interface(one).ip) for one in interface["ipv4"]["address"]] == [heard["address"]]
    assert interface["ipv4"]["nameservers"] == [network["docker"]["dns"]] == [await kubectl.address("supervisor-dns")]
    root = heard["told"]["/info"]
    assert (root["hostname"], root["state"]) == (pod["spec"]["nodeName"], "running")
