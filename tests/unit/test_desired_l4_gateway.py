"""The Gateway for published ports and its routes, as they are to be in the cluster."""

from supervisor_k8s.model.desired.balanced import L4Choice, Mode
from supervisor_k8s.model.desired.l4_gateway import MOST, beyond, gateway_objects
from supervisor_k8s.model.ports import Reservation
from tests import builders, golden

BROKER = Reservation(1883, "tcp", "core_mosquitto", 1883)
NAMES = tuple(Reservation(53, protocol, "a0d7b954_adguard", 5353) for protocol in ("tcp", "udp"))
HELD = (NAMES[1], BROKER, NAMES[0])
CHOICE = L4Choice(mode=Mode.GATEWAY, gateway_class="your-class")


def test_the_objects_are_these() -> None:
    """A listener and a route for each port, TCP and UDP on one number; the address is asked for at the Gateway."""
    choice = L4Choice(mode=Mode.GATEWAY, gateway_class="your-class", address="192.168.100.130")
    golden.check("l4-gateway/objects.yaml", golden.manifests(gateway_objects(HELD, choice, builders.site())))


def test_an_address_in_annotations_is_the_only_one() -> None:
    """They are handed on to what the controller makes of the Gateway."""
    for annotations, addresses in (
        ({"metallb.io/loadBalancerIPs": "192.168.100.7"}, None),
        ({"metallb.io/address-pool": "lan"}, [{"type": "IPAddress", "value": "192.168.100.130"}]),
    ):
        choice = L4Choice(
            mode=Mode.GATEWAY, gateway_class="your-class", address="192.168.100.130", annotations=annotations
        )
        gateway, *_ = gateway_objects(HELD, choice, builders.site())
        assert gateway["spec"]["infrastructure"] == {"annotations": annotations}
        assert gateway["spec"].get("addresses") == addresses


def test_another_owner_of_a_port_changes_its_route() -> None:
    """It is the same object, and only leads elsewhere."""
    _, first = gateway_objects([BROKER], CHOICE, builders.site())
    _, second = gateway_objects([Reservation(1883, "tcp", "local_emqx", 1884)], CHOICE, builders.site())
    assert first["metadata"] == second["metadata"]
    assert second["spec"]["rules"] == [{"backendRefs": [{"name": "addon-local-emqx", "port": 1884}]}]


def test_more_ports_than_listeners() -> None:
    """The first are served, the others are known."""
    held = [Reservation(number, "tcp", "local_many", number) for number in range(2000, 2500)]
    gateway, *routes = gateway_objects(reversed(held), CHOICE, builders.site())
    assert len(gateway["spec"]["listeners"]) == len(routes) == MOST
    assert routes[-1]["metadata"]["name"] == "ha-internal-tcp-2063"
    assert beyond(held) == held[MOST:]


def test_nothing_is_there_for_nothing() -> None:
    """An installation that publishes no port has no Gateway for it, and none without a class."""
    assert gateway_objects([], CHOICE, builders.site()) == ()
    assert gateway_objects(HELD, L4Choice(mode=Mode.GATEWAY), builders.site()) == ()
