"""What is said of an add-on before it is installed: of single requests, and of all real add-ons that we have."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s import setting_kinds
from supervisor_k8s.errors import AddonNotSupportedError
from supervisor_k8s.model import allowance
from supervisor_k8s.model.allowance import Allow
from supervisor_k8s.model.availability import check_available, compatibility
from supervisor_k8s.model.compatibility import Verdict, report, sentence
from supervisor_k8s.model.nodes import NodeFacts, node_facts
from tests.builders import EVERYTHING, addon, site, unbuilt
from tests.real_addons import real_addons

SURVEY = Path(__file__).parents[1] / "corpus" / "compatibility.tsv"
SAME = {
    "as-is": "runs",
    "as-is-degraded": "runs_without",
    "one-extension": "needs",
    "cannot-or-several": "cannot_run",
}
"""The survey's words to ours."""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"docker_api": True}, "docker_api (a Docker daemon"),
        ({"map": [{"type": "share", "path": "/"}]}, "a folder at '/'"),
        ({"map": [{"type": "share", "path": "relative"}]}, "a folder at 'relative'"),
        ({"map": [{"type": "share", "path": "/a:b"}]}, "a folder at '/a:b'"),
        ({"map": [{"type": "share", "path": ""}]}, "a folder at ''"),
    ],
)
def test_what_nothing_grants_is_named(given: dict[str, Any], reason: str) -> None:
    """The add-on cannot run, and the sentence says for which of its requests, whatever is allowed."""
    found = report(addon(**given), EVERYTHING)
    assert found.verdict is Verdict.CANNOT_RUN
    assert sentence(found).startswith("It cannot run on this cluster. It asks for ")
    assert reason in sentence(found)
    assert "SUPERVISOR_K8S_ALLOW" not in sentence(found)


def test_an_addon_without_image_needs_a_registry() -> None:
    """For what is built; that is said before anything is pulled, and beside what else it needs."""
    plain, greedy = unbuilt(), unbuilt(host_network=True)
    found = report(plain, EVERYTHING)
    assert found.verdict is Verdict.NEEDS
    assert sentence(found) == (
        "It cannot run on this cluster. It asks for an image to be built, for its manifest names none. "
        "To allow it, set SUPERVISOR_K8S_BUILD_REGISTRY to a registry."
    )
    both = "add host_network to the setting SUPERVISOR_K8S_ALLOW and set SUPERVISOR_K8S_BUILD_REGISTRY to a registry"
    assert both in sentence(report(greedy, ()))
    assert report(plain, (), builds=True).verdict is Verdict.RUNS


def test_what_an_administrator_can_allow_is_told_with_the_setting() -> None:
    """Capabilities are needed until they are allowed; then the add-on runs."""
    config = addon(privileged=["SYS_ADMIN", "NET_ADMIN"])
    found = report(config, ())
    assert found.verdict is Verdict.NEEDS
    assert sentence(found) == (
        "It cannot run on this cluster. It asks for the capability NET_ADMIN; the capability SYS_ADMIN. "
        "To allow it, add capabilities to the setting SUPERVISOR_K8S_ALLOW."
    )
    assert report(config, {"capabilities"}).verdict is Verdict.RUNS


def test_the_nodes_network_is_for_an_administrator_to_allow() -> None:
    """It is named as what the manifest calls it; whoever does not need it gets it all the same where it is allowed."""
    config = addon(host_network=True)
    found = sentence(report(config, ()))
    assert "It asks for host_network (the node's own network)" in found
    assert found.endswith("add host_network to the setting SUPERVISOR_K8S_ALLOW.")
    assert report(config, {"host_network"}).verdict is Verdict.RUNS
    flows = replace(config, slug="a0d7b954_nodered")
    assert report(flows, ()).verdict is Verdict.RUNS_WITHOUT
    assert report(flows, {"host_network"}).verdict is Verdict.RUNS


@pytest.mark.parametrize(
    ("given", "asked", "word"),
    [
        ({"full_access": True}, "full_access (all devices of the node)", "privileged"),
        ({"host_pid": True}, "host_pid (the processes of the node)", "privileged"),
        ({"host_ipc": True}, "host_ipc (the shared memory of the node)", "privileged"),
        ({"journald": True}, "journald (the node's journal)", "host_paths"),
        (
            {"kernel_modules": True},
            "kernel_modules (modules of the node's kernel); the capability SYS_MODULE",
            "host_paths",
        ),
        (
            {"schema": {"port": "device(subsystem=tty)"}},
            "a device of the node (option port)",
            "local_example=devices:<",
        ),
        (
            {"schema": {"serial": {"port": "device"}}},
            "a device of the node (option serial.port)",
            "local_example=devices:<",
        ),
        ({"schema": {"ports": ["device"]}}, "a device of the node (option ports)", "local_example=devices:<"),
    ],
)
def test_each_class_is_told_with_its_word(given: dict[str, Any], asked: str, word: str) -> None:
    """What the manifest calls it, what it is, and what to write; where everything is allowed it runs."""
    found = report(addon(**given), ())
    assert found.verdict is Verdict.NEEDS
    assert f"It asks for {asked}. To allow it, add {word}" in sentence(found)
    assert report(addon(**given), EVERYTHING).verdict in {Verdict.RUNS, Verdict.RUNS_WITHOUT}


@pytest.mark.parametrize("key", ["full_access", "host_pid"])
def test_the_protection_mode_has_its_say(key: str) -> None:
    """As at upstream: what is allowed comes once somebody has switched the mode off, and not before."""
    given: dict[str, Any] = {key: True}
    found = report(addon(**given), EVERYTHING)
    assert sentence(found).endswith(" until its protection mode is switched off.")


def test_one_addon_alone_may_be_allowed() -> None:
    """A word with a slug counts for this one."""
    config = addon(host_network=True)
    assert report(config, {"local_example=host_network"}).verdict is Verdict.RUNS
    assert report(config, {"local_other=host_network"}).verdict is Verdict.NEEDS


def test_the_setting_takes_every_class_that_there_is() -> None:
    """Whatever a report tells an administrator to write is a value of the setting."""
    assert frozenset(Allow) == setting_kinds.ALLOWABLE
    assert allowance.OPEN_DEVICES == setting_kinds.OPEN_DEVICES


@pytest.mark.parametrize(
    "given",
    [
        dict.fromkeys(("udev", "devicetree", "host_uts"), True),
        {"apparmor": False},
        {"realtime": True, "ulimits": {"nofile": 1}},
        {"schema": False},
    ],
)
def test_boilerplate_is_not_missed(given: dict[str, Any]) -> None:
    """Programs notice nothing when it is left out."""
    assert sentence(report(addon(**given), ())) == "It runs on this cluster."


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        ({"usb": True, "uart": True, "gpio": True, "video": True, "devices": ["/dev/dri"]}, "devices at the node"),
        ({"audio": True}, "sound"),
        ({"host_dbus": True}, "D-Bus"),
        ({"schema": {"port": "device(subsystem=tty)?"}}, "devices at the node"),
        ({"schema": {"ports": ["device?"], "many": [{"port": "device"}]}}, None),
    ],
)
def test_what_a_program_does_without_is_told(given: dict[str, Any], lost: str | None) -> None:
    """It runs, and what it will lack is said once."""
    found = report(addon(**given), ())
    assert found.verdict is Verdict.RUNS_WITHOUT
    assert len(found.without) == 1
    assert lost is None or lost in sentence(found)


def test_another_architecture_is_a_reason_too() -> None:
    """The report says it in upstream's words, and what else is asked for beside it."""
    found = compatibility(addon(arch=["armv7"], host_network=True), site(), core_version=None)
    assert found.verdict is Verdict.CANNOT_RUN
    assert "armv7" in sentence(found)
    assert "host_network" in sentence(found)


@pytest.mark.parametrize(
    ("given", "lost"),
    [({"ingress": True}, "172.30.32.2"), ({"services": ["mysql:provide"]}, "Docker's network"), ({}, None)],
)
def test_addresses_that_an_addon_may_go_by(given: dict[str, Any], lost: str | None) -> None:
    """Where nobody has those of Docker's network, an add-on that may look at them is installed all the same, and what
    may come of it is told.
    """
    config, bare = addon(**given), site()
    there = site(docker_network=True, pod_cidrs=("10.42.0.0/16",))
    assert compatibility(config, there, core_version=None).verdict is Verdict.RUNS
    found = compatibility(config, bare, core_version=None)
    assert found.verdict is (Verdict.RUNS_WITHOUT if lost else Verdict.RUNS)
    assert lost is None or lost in sentence(found)
    check_available(config, bare, core_version=None)


STICKS = NodeFacts(frozenset({"amd64", "aarch64"}), frozenset({"example.com/stick", "example.com/gpu"}))


def test_a_device_that_no_node_offers() -> None:
    """What is allowed for an add-on binds it: nobody installs what no node would take. Who does not know, tries."""
    config, word = addon(schema={"port": "device"}), {"local_example=devices:example.com/zwave"}
    found = report(config, word, nodes=STICKS)
    assert found.verdict is Verdict.CANNOT_RUN
    assert sentence(found).endswith(
        "It asks for the device example.com/zwave, as SUPERVISOR_K8S_ALLOW says, which no node offers."
    )
    with pytest.raises(AddonNotSupportedError, match=r"example\.com/zwave"):
        check_available(config, site(allowed=word, nodes=STICKS), core_version=None)
    assert report(config, {"local_example=devices:example.com/stick"}, nodes=STICKS).verdict is Verdict.RUNS
    assert report(config, word).verdict is Verdict.RUNS
    assert report(addon(slug="other"), word, nodes=STICKS).verdict is Verdict.RUNS


def test_devices_that_there_are_to_choose_from() -> None:
    """Whoever reads what to write sees what the nodes offer."""
    found = sentence(report(addon(schema={"port": "device"}), (), nodes=STICKS))
    assert "or a device plugin's resource, which are example.com/gpu, example.com/stick>" in found


def test_nodes_of_another_architecture() -> None:
    """An add-on that would fit there still cannot run, and the report says why."""
    found = compatibility(addon(arch=["aarch64"]), site(nodes=STICKS), core_version=None)
    assert found.verdict is Verdict.CANNOT_RUN
    assert "there are nodes with aarch64, but add-ons run where the Supervisor could: on amd64" in sentence(found)
    for config in (addon(arch=["armv7"]), addon()):
        assert "there are nodes" not in sentence(compatibility(config, site(nodes=STICKS), core_version=None))


def test_ports_that_nobody_reaches() -> None:
    """Where nobody gives addresses, an add-on runs without what it publishes, but not on the node's own network."""
    config = addon(ports={"1883/tcp": 1883, "53": 53, "9001/tcp": None})
    found = compatibility(config, site(), core_version=None, unpublished="for a reason")
    assert found.without == ("1883/tcp, 53/tcp at an address on the LAN (for a reason)",)
    check_available(config, site(), core_version=None)
    on_node, silent = site(allowed={"host_network"}), addon(ports={"9001/tcp": None})
    for given, where, why in (
        (addon(ports={"1883/tcp": 1883}, host_network=True), on_node, "for a reason"),
        (silent, site(), "for a reason"),
        (config, site(), ""),
    ):
        assert compatibility(given, where, core_version=None, unpublished=why).verdict is Verdict.RUNS


def node(architecture: str, allocatable: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {"spec": spec, "status": {"nodeInfo": {"architecture": architecture}, "allocatable": allocatable}}


def test_what_nodes_offer() -> None:
    """In Home Assistant's words; nodes that take no pods do not count, nor what is no device."""
    own = {"hugepages-2Mi": "0", "kubernetes.io/batch": "1", "x.kubernetes.io/y": "1"}
    away = node("riscv64", {"example.com/gpu": "1"}, unschedulable=True)
    nodes = [node("amd64", {"cpu": "4", **own}), node("arm64", {"example.com/stick": "0"}), away]
    found = NodeFacts(frozenset({"amd64", "aarch64"}), frozenset({"example.com/stick"}))
    assert node_facts(nodes) == found
    assert node_facts([{}]) == NodeFacts(frozenset(), frozenset())
    assert node_facts(None) == NodeFacts()


def survey() -> list[tuple[str, str, str, str]]:
    rows = [line.split("\t") for line in SURVEY.read_text().splitlines() if line and not line.startswith("#")]
    return [(slug, judged, verdict, why) for slug, judged, verdict, why in rows]


@pytest.mark.parametrize(("slug", "judged", "verdict", "why"), survey(), ids=[row[0] for row in survey()])
def test_real_addons_are_judged_as_somebody_did_who_read_them(slug: str, judged: str, verdict: str, why: str) -> None:
    """By the survey of the default stores; where we say something else, the table has the reason."""
    assert bool(why) == (SAME[judged] != verdict)
    assert report(real_addons()[slug], ()).verdict == verdict


PLAYERS = {"host_network": True, "audio": True, "privileged": ["SYS_ADMIN", "DAC_READ_SEARCH"]}
LAN_AND_STICK = {"host_network": True, "uart": True}
UNLICENSED: dict[str, tuple[dict[str, Any], str]] = {
    "5c53de3b_esphome": (LAN_AND_STICK, "one-extension"),
    "5c53de3b_esphome-beta": (LAN_AND_STICK, "one-extension"),
    "5c53de3b_esphome-dev": (LAN_AND_STICK, "one-extension"),
    "d5369777_local_audio": ({"host_network": True, "host_uts": True, "audio": True}, "cannot-or-several"),
    "d5369777_music_assistant": (PLAYERS, "one-extension"),
    "d5369777_music_assistant_beta": (PLAYERS, "one-extension"),
    "d5369777_music_assistant_dev": ({**PLAYERS, "image": None}, "cannot-or-several"),
    "d5369777_music_assistant_nightly": (PLAYERS, "one-extension"),
    "d5369777_ytm_po_token_generator": ({}, "as-is"),
}
"""The two default stores whose manifests nobody may hand on: what the survey says that each asks for, and its word."""


@pytest.mark.parametrize("slug", UNLICENSED)
def test_addons_whose_manifests_are_not_here(slug: str) -> None:
    """They are judged as the survey did, by what they ask for; one thing that is allowed is enough where it says so."""
    (asked, judged), (store, _, own) = UNLICENSED[slug], slug.partition("_")
    config = addon(store, slug=own, **{key: value for key, value in asked.items() if value is not None})
    config = replace(config, image=None) if "image" in asked else config
    found = report(config, ())
    several = found.verdict is Verdict.NEEDS and len(found.needs) > 1
    assert ("cannot_run" if several else found.verdict) == SAME[judged]
    if found.verdict is Verdict.NEEDS and not several:
        assert [need.word for need in found.needs] == ["host_network"]


def test_no_addon_of_the_survey_is_forgotten() -> None:
    """The table has every add-on of the default stores that we know, and Zigbee2MQTT."""
    stores = ("core_", "a0d7b954_", "45df7312_")
    assert {row[0] for row in survey()} == {slug for slug in real_addons() if slug.startswith(stores)}
