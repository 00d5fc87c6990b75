"""Published ports: who has which, and what is said when one cannot be had."""

import json
from typing import Any

import pytest

from supervisor_k8s.model.allowance import Allow
from supervisor_k8s.model.desired.balanced import NODE_LISTENERS
from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.model.ports import (
    NODE,
    Reservation,
    asked_for,
    first_conflict,
    held_by,
    is_registry,
    registered,
    registry_text,
    wanted_by,
)
from supervisor_k8s.model.site import Site
from tests import builders

SITE = builders.site()
ENTRY = '{"1883/tcp": {"addon": "x", "service": "addon-x", "targetPort": %d, "protocol": "tcp"}}'
BROKER = {"1883/tcp": 1883, "1884/tcp": None, "53/udp": 53, "53/tcp": 53}


def record(wanted: Wanted = Wanted.STOPPED, **manifest: Any) -> InstalledAddon:
    config = builders.addon(**{"ports": BROKER, **manifest})
    return builders.installed(config, wanted=builders.intent(wanted, config))


def asked(record: InstalledAddon, site: Site = SITE) -> tuple[Reservation, ...]:
    return asked_for(record, config_of(record), site)


def test_what_an_addon_asks_for() -> None:
    """Ports with a number; both protocols on one; the user's choice before the manifest's; nothing on the node's
    own network.
    """
    keys = {(item.key, item.target) for item in asked(record())}
    assert keys == {("1883/tcp", 1883), ("53/udp", 53), ("53/tcp", 53)}
    user = builders.installed(builders.addon(ports=BROKER), network={"1883/tcp": 2883, "53/udp": None})
    assert [item.key for item in asked(user)] == ["53/tcp", "2883/tcp"]
    assert asked(record(host_network=True)) != (), "without the node's network it is a pod like any other"
    assert asked(record(host_network=True), builders.site(allowed=frozenset({Allow.HOST_NETWORK}))) == ()
    on_node = builders.addon(ports=BROKER, host_network=True)
    launched = builders.launch(on_node, objects=({"spec": {"template": {"spec": {"hostNetwork": True}}}},))
    assert held_by(builders.installed(on_node, wanted=Intent(Wanted.RUNNING, launched))) == ()
    assert wanted_by("x", {"514": 1514}) == (Reservation(1514, "tcp", "x", 514),)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted.RUNNING, True),
        (Wanted.RELAUNCH, True),
        (Wanted.STOPPED, False),
        (Wanted.EXITED, False),
        (Wanted.REMOVED, False),
    ],
)
def test_a_port_is_held_while_its_addon_is_to_run(wanted: Wanted, holds: bool) -> None:
    """Through a restart, too; not by one that is stopped, that ended, or that is being removed."""
    assert bool(held_by(record(wanted))) is holds


def test_what_runs_has_the_ports_it_was_started_with() -> None:
    """A choice for its next start is none for now."""
    config = builders.addon(ports=BROKER)
    running = builders.installed(config, wanted=builders.intent(config=config), network={"1883/tcp": 2883})
    assert Reservation(1883, "tcp", config.slug, 1883) in held_by(running)


@pytest.mark.parametrize(
    ("taken", "asked", "refused", "owner", "free"),
    [
        ([], [(1883, "tcp")], (), None, None),
        ([(1883, "udp")], [(1883, "tcp")], (), None, None),
        ([(1883, "tcp")], [(1883, "tcp")], (), "other", 1884),
        ([(1883, "tcp"), (1884, "tcp")], [(1883, "tcp"), (1885, "tcp")], (), "other", 1886),
        ([(80, "tcp")], [(80, "tcp")], (), "other", 8080),
        ([(65535, "tcp")], [(65535, "tcp")], (), "other", 1024),
        ([], [(6443, "tcp")], NODE_LISTENERS, NODE, 6444),
        ([], [(80, "tcp"), (80, "tcp")], (), "one", 8080),
    ],
)
def test_conflicts(
    taken: list[tuple[int, str]],
    asked: list[tuple[int, str]],
    refused: tuple[int, ...],
    owner: str | None,
    free: int | None,
) -> None:
    """Whose a port is, and the nearest one that could be had; a well-known one has its place 8000 higher."""
    others = [Reservation(*item, "other", 1) for item in taken]
    wanted = [Reservation(*item, "one", target) for target, item in enumerate(asked)]
    found = first_conflict(wanted, others, refused)
    assert (found and found.owner, found and found.free) == (owner, free)


def test_the_registry_has_the_specified_format() -> None:
    """By port and protocol: add-on, Service, the add-on's own port."""
    text = registry_text([Reservation(1883, "tcp", "core_mosquitto", 1883), Reservation(53, "udp", "dns", 5353)])
    assert json.loads(text) == {
        "1883/tcp": {
            "addon": "core_mosquitto",
            "service": "addon-core-mosquitto",
            "targetPort": 1883,
            "protocol": "tcp",
        },
        "53/udp": {"addon": "dns", "service": "addon-dns", "targetPort": 5353, "protocol": "udp"},
    }
    assert is_registry(text)
    assert is_registry("{}")
    assert set(registered(text)) == {
        Reservation(1883, "tcp", "core_mosquitto", 1883),
        Reservation(53, "udp", "dns", 5353),
    }
    assert registered(None) == registered(text.replace("1883/tcp", "99999/tcp").replace("53/udp", "x")) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"1883/tcp": 7}', '{"1883/tcp": {"addon": "x"}}', "\x00", ENTRY % 0, ENTRY % 65536]
)
def test_a_damaged_registry_is_told_from_a_whole_one(text: str) -> None:
    """Whatever somebody made of it."""
    assert not is_registry(text)
    assert registered(text) == ()
