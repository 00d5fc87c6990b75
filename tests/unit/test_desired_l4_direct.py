"""Services of add-ons that publish their ports themselves, as they are to be in the cluster."""

import pytest

from supervisor_k8s.model.desired.balanced import L4Choice, Mode, Provider
from supervisor_k8s.model.desired.core import core_services
from supervisor_k8s.model.desired.l4_direct import direct_objects
from supervisor_k8s.model.desired.link import CorePort
from supervisor_k8s.model.naming import CORE
from supervisor_k8s.model.ports import Reservation
from tests import builders, golden

BROKER = Reservation(1883, "tcp", "core_mosquitto", 1883)
NAMES = tuple(Reservation(53, protocol, "a0d7b954_adguard", 5353) for protocol in ("tcp", "udp"))
SITE = builders.site()
HELD = (NAMES[1], BROKER, NAMES[0])


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize("local", [False, True], ids=["shared", "local"])
def test_the_objects_are_these(provider: Provider, local: bool) -> None:
    """One Service for each add-on, TCP and UDP on one number in the same; they may have one address, unless only the
    pod's node takes anything in.
    """
    choice = L4Choice(mode=Mode.DIRECT, address="192.168.100.130", provider=provider, local=local)
    name = f"l4-direct/{provider}{'-local' if local else ''}.yaml"
    golden.check(name, golden.manifests(direct_objects(HELD, choice, builders.site())))


def test_cores_own_ports_have_a_service_of_their_own() -> None:
    """It leads to Core's pod."""
    found = direct_objects([BROKER, Reservation(1400, "tcp", CORE, 1400)], L4Choice(mode=Mode.DIRECT), SITE)
    selectors = {item["metadata"]["name"]: item["spec"]["selector"] for item in found}
    assert selectors.keys() == {"lan-addon-core-mosquitto", "lan-homeassistant"}
    (service, _) = core_services(CorePort(80, tls=False), SITE)
    assert selectors["lan-homeassistant"] == service["spec"]["selector"]


def test_annotations_of_the_administrator_win() -> None:
    """Ours stand beside others."""
    key = {"metallb.io/allow-shared-ip": "mine", "metallb.io/address-pool": "lan"}
    choice = L4Choice(mode=Mode.DIRECT, provider=Provider.METALLB, annotations=key, sources=("192.168.0.0/16",))
    (found,) = direct_objects([BROKER], choice, builders.site())
    assert found["metadata"]["annotations"] == key
    assert found["spec"]["loadBalancerSourceRanges"] == ["192.168.0.0/16"]


def test_nothing_is_there_for_nothing() -> None:
    """An installation that publishes no port has no Service for it."""
    assert direct_objects([], L4Choice(mode=Mode.DIRECT), builders.site()) == ()
