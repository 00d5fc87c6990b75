"""What is said of an add-on before it is installed: of single requests, and of all real add-ons that we have."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.availability import check_available, compatibility
from supervisor_k8s.model.compatibility import Allow, Verdict, report, sentence
from supervisor_k8s.settings import ALLOWABLE
from tests.builders import addon, site

CORPUS = Path(__file__).parents[1] / "corpus" / "addons.jsonl"
SURVEY = Path(__file__).parents[1] / "corpus" / "compatibility.tsv"
EVERYTHING = frozenset(Allow)
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
        ({"host_pid": True}, "host_pid"),
        ({"host_ipc": True}, "host_ipc"),
        ({"full_access": True}, "full_access"),
        ({"docker_api": True}, "docker_api (a Docker daemon"),
        ({"kernel_modules": True}, "kernel_modules"),
        ({"journald": True}, "journald"),
        ({"schema": {"port": "device(subsystem=tty)"}}, "a device of the node (option port)"),
        ({"schema": {"serial": {"port": "device"}}}, "a device of the node (option serial.port)"),
        ({"schema": {"ports": ["device"]}}, "a device of the node (option ports)"),
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


def test_an_addon_without_image_cannot_run() -> None:
    """Images are not built here; that is said before anything is pulled."""
    assert "an image to be built" in sentence(report(replace(addon(), image=None), EVERYTHING))


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


def test_the_setting_takes_every_class_that_there_is() -> None:
    """Whatever a report tells an administrator to write is a value of the setting."""
    assert frozenset(Allow) == ALLOWABLE


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


def real_addons() -> dict[str, AddonConfig]:
    entries = [json.loads(line) for line in CORPUS.read_text().splitlines()[1:]]
    return {
        entry["full_slug"]: AddonConfig.from_normalised(
            entry["normalised"], repository=entry["full_slug"].partition("_")[0]
        )
        for entry in entries
    }


def survey() -> list[tuple[str, str, str, str]]:
    rows = [line.split("\t") for line in SURVEY.read_text().splitlines() if line and not line.startswith("#")]
    return [(slug, judged, verdict, why) for slug, judged, verdict, why in rows]


@pytest.mark.parametrize(("slug", "judged", "verdict", "why"), survey(), ids=[row[0] for row in survey()])
def test_real_addons_are_judged_as_somebody_did_who_read_them(slug: str, judged: str, verdict: str, why: str) -> None:
    """By the survey of the default stores; where we say something else, the table has the reason."""
    same = {
        "as-is": "runs",
        "as-is-degraded": "runs_without",
        "one-extension": "needs",
        "cannot-or-several": "cannot_run",
    }
    assert bool(why) == (same[judged] != verdict)
    assert report(real_addons()[slug], ()).verdict == verdict


def test_no_addon_of_the_survey_is_forgotten() -> None:
    """The table has every add-on of the default stores that we know, and Zigbee2MQTT."""
    stores = ("core_", "a0d7b954_", "45df7312_")
    assert {row[0] for row in survey()} == {slug for slug in real_addons() if slug.startswith(stores)}
