"""Kill test: our process dies at any moment of any verb, again and again, and nothing is ever left between two states.

Every round sends requests for several add-ons at once to the real program, kills it (SIGKILL, no handler runs) at a
random moment, sometimes again while it recovers, starts it anew and waits until the cluster is at rest. Then every
add-on must be what the answered requests say; an unanswered request may have happened or not, but not half.

`KILLS` is the number of rounds, of about 2.5 seconds each on two busy cores; `KILL_SEED` repeats a run's choices:
`KILLS=200 KILL_SEED=7 make test`.
"""

import asyncio
import os
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.model.naming import LABEL_ADDON, LABEL_LAUNCH, LABEL_TYPE
from supervisor_k8s.model.status import is_terminating
from supervisor_k8s.state.records import Records
from tests.cluster.controlplane import ControlPlane
from tests.integration.kubelet import ABSENT_IMAGE, PULL, Kubelet
from tests.integration.program import Program

KILLS = int(os.environ.get("KILLS", "20"))
SEED = os.environ.get("KILL_SEED") or secrets.token_hex(4)
SETTLE = 30.0
"""Seconds until everything must be at rest."""
SHORT, LONG = 0.4, 2.0
"""Seconds from the first request to the kill, at most: in the middle of the first verbs, or after several answers."""
AGAIN, RECOVERY = 0.25, 2.0
"""How likely a kill is followed by another one, and how many seconds later at most."""
KINDS_OF_ADDONS = ("Pod", "Deployment", "Job", "Service", "Secret", "ConfigMap")
ADDONS: tuple[dict[str, Any], ...] = (
    {"slug": "a", "ports": {"80/tcp": 8080}},
    {"slug": "b", "boot": "manual"},
    {"slug": "c", "startup": "system", "map": ["share", "ssl:rw"]},
    {"slug": "d", "ports": {"1883/tcp": 1883}, "init": True},
    {"slug": "once", "startup": "once"},
    {"slug": "absent", "image": f"{ABSENT_IMAGE}absent"},
)


class Is(StrEnum):
    """What an add-on can be at rest."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTED = "started"


VERBS: Mapping[Is, Mapping[str, Is]] = {
    Is.ABSENT: {"install": Is.STOPPED},
    Is.STOPPED: {"start": Is.STARTED, "restart": Is.STARTED, "uninstall": Is.ABSENT},
    Is.STARTED: {"stop": Is.STOPPED, "restart": Is.STARTED, "uninstall": Is.ABSENT},
}
"""What may be asked of an add-on, and what it comes to."""


@dataclass(slots=True)
class Subject:
    """One add-on and what is known of it from outside."""

    slug: str
    may_be: set[Is] = field(default_factory=lambda: {Is.ABSENT})
    said: list[str] = field(default_factory=list)
    """The requests of this round with their answers, for a failure's report."""

    @property
    def known(self) -> Is:
        (state,) = self.may_be
        return state

    def after(self, verb: str) -> Is:
        """What the verb comes to: a program that runs once is at rest again, and an absent image is never installed."""
        if self.slug == "local_absent":
            return Is.ABSENT
        then = VERBS[self.known][verb]
        return Is.STOPPED if self.slug == "local_once" and then is Is.STARTED else then

    async def be_busy(self, program: Program, chance: random.Random) -> None:
        """One verb after the other until the program does not answer any more."""
        while True:
            before = self.known
            verb = chance.choice(sorted(VERBS[before]))
            then = self.after(verb)
            self.may_be = {before, then}
            area = "store/addons" if verb == "install" else "addons"
            answer = await program.ask("POST", f"/{area}/{self.slug}/{verb}")
            self.said.append(f"{verb}: {answer.status or 'no answer'}")
            if answer.status is None:
                return
            assert answer.ok == (self.slug != "local_absent"), f"{self.slug}: {verb}: {answer}"
            self.may_be = {then}


@dataclass(slots=True)
class House:
    """The installation under test."""

    program: Program
    kubelet: Kubelet
    client: Client
    subjects: Sequence[Subject]

    async def settle(self) -> None:
        """Wait until every add-on is something that the requests allow, whole, and nothing else is there."""
        deadline = time.monotonic() + SETTLE
        while True:
            states = await self.program.states()
            found = [*self.kubelet.faults, *await self._unwanted(states)]
            if not found:
                break
            assert time.monotonic() < deadline, "\n".join([*found, self.program.said(40)])
            await asyncio.sleep(0.05)
        for subject in self.subjects:
            subject.may_be, subject.said = {Is(states.get(subject.slug, Is.ABSENT))}, []

    async def _unwanted(self, states: Mapping[str, str]) -> list[str]:
        """What must not be, a line each."""
        found = [f"pull pod {_name(pod)}" for pod in await self._select("Pod", f"{LABEL_TYPE}={PULL}")]
        objects = [live for kind in KINDS_OF_ADDONS for live in await self._select(kind, LABEL_ADDON)]
        for subject in self.subjects:
            state = states.get(subject.slug, Is.ABSENT)
            if state not in subject.may_be:
                found.append(f"{subject.slug} is {state}, not {', '.join(subject.may_be)} after {subject.said}")
            own = [live for live in objects if _labels(live)[LABEL_ADDON] == subject.slug]
            found += [f"{subject.slug} is {state} and has {live}" for live in _out_of_place(state, own)]
            if state == Is.ABSENT and (self.program.data / "addons" / "data" / subject.slug).exists():
                found.append(f"{subject.slug} is gone and its data are not")
            objects = [live for live in objects if live not in own]
        return [*found, *(f"{live['kind']} {_name(live)} belongs to nobody" for live in objects)]

    async def _select(self, kind: str, selector: str) -> list[dict[str, Any]]:
        path = KINDS[kind].path(self.program.namespace)
        items = (await self.client.request("GET", path, query={"labelSelector": selector}))["items"]
        return [{"kind": kind, **item} for item in items]


def _out_of_place(state: str, own: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an add-on in this state must not have, or lacks."""
    if state == Is.ABSENT:
        return [f"{live['kind']} {_name(live)}" for live in own]
    by_kind = {kind: [live for live in own if live["kind"] == kind] for kind in KINDS_OF_ADDONS}
    found = []
    runs = [pod for pod in by_kind["Pod"] if pod["status"]["phase"] not in {"Succeeded", "Failed"}]
    wanted = int(state == Is.STARTED)
    if len(runs) != wanted or any(is_terminating(pod) for pod in by_kind["Pod"]):
        found.append(f"pods {[(_name(pod), pod['status']['phase'], is_terminating(pod)) for pod in by_kind['Pod']]}")
    found += [
        f"{one['spec']['replicas']} replicas" for one in by_kind["Deployment"] if one["spec"]["replicas"] != wanted
    ]
    launches = {_labels(pod)[LABEL_LAUNCH] for pod in runs}
    secrets_of = {_labels(secret)[LABEL_LAUNCH] for secret in by_kind["Secret"]}
    if secrets_of != launches:
        found.append(f"Secrets of launches {secrets_of} and pods of {launches}")
    return found


def _name(live: Mapping[str, Any]) -> str:
    return str(live["metadata"]["name"])


def _labels(live: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = live["metadata"]["labels"]
    return labels


@pytest.mark.timeout(120 + 15 * KILLS)
async def test_killed_at_any_moment(
    plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whatever was answered holds, whatever was not is done or not done, and Core never noticed any of it."""
    print(f"KILL_SEED={SEED} KILLS={KILLS}")
    chance = random.Random(SEED)
    program = Program(
        folder=tmp_path, client=admin, namespace=namespace, server=plane.server, authority=plane.authority.certificate
    )
    began, starts, settles = time.monotonic(), 0.0, 0.0
    async with Kubelet(admin, namespace, chance=chance).working() as kubelet, program.installed(ADDONS):
        house = House(program, kubelet, admin, [Subject(f"local_{addon['slug']}") for addon in ADDONS])
        await program.start()
        await program.up()
        core = await core_pod(house)
        for number in range(KILLS):
            async with asyncio.TaskGroup() as group:
                for subject in house.subjects:
                    group.create_task(subject.be_busy(program, chance))
                await asyncio.sleep(chance.uniform(0, LONG if number % 5 == 0 else SHORT))
                await program.kill()
            starts += await _come_back(program, chance)
            back = time.monotonic()
            await house.settle()
            settles += time.monotonic() - back
        assert await core_pod(house) == core
    print(f"{KILLS} kills in {time.monotonic() - began:.0f} s", end="; ")
    print(f"a start took {starts / KILLS:.2f} s until everything was seen to, rest came {settles / KILLS:.2f} s later")


async def _come_back(program: Program, chance: random.Random) -> float:
    """Start, often enough killed again on the way. Seconds that the last start took."""
    while chance.random() < AGAIN:
        assert (await Records.load(program.state)).damaged == ()
        await program.start()
        await asyncio.sleep(chance.uniform(0, RECOVERY))
        await program.kill()
    assert (await Records.load(program.state)).damaged == ()
    began = time.monotonic()
    await program.start()
    await program.up()
    return time.monotonic() - began


async def core_pod(house: House) -> str:
    """UID of Core's pod, once it runs."""
    async with asyncio.timeout(SETTLE):
        while "homeassistant-0" not in house.kubelet.running:
            await asyncio.sleep(0.05)
    pod = await house.client.request("GET", KINDS["Pod"].path(house.program.namespace, "homeassistant-0"))
    return str(pod["metadata"]["uid"])
