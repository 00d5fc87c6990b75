"""What our process finds after the world went on without it, or went down under it: nodes, pods, both at once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supervisor_k8s.cluster.client import Client
from tests.cluster.controlplane import ControlPlane
from tests.integration.kubelet import Kubelet
from tests.integration.program import Program

ADDONS = (
    {"slug": "last", "startup": "application"},
    {"slug": "first", "startup": "initialize"},
    {"slug": "middle", "startup": "services"},
    {"slug": "manual", "boot": "manual"},
    {"slug": "done"},
    {"slug": "broken"},
)
RUNNING = ("local_last", "local_first", "local_middle", "local_manual")
ENDED = ("local_done", "local_broken")
STATES = {
    **dict.fromkeys(RUNNING, "started"),
    "local_done": "stopped",
    "local_broken": "error",
}
AFTER_THE_NODE = {**STATES, "local_manual": "stopped"}
"""By the boot rule."""


@dataclass(slots=True)
class Home:
    """Six add-ons in all states, and the program that looks after them."""

    program: Program
    kubelet: Kubelet = field(init=False)

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[Kubelet]:
        """Four run, one has ended well and one badly. At the end nothing ever ran twice."""
        program = self.program
        kubelet = Kubelet(program.client, program.namespace, chance=random.Random(program.namespace))
        async with kubelet.working(), program.installed(ADDONS):
            await program.run()
            await program.do("install", *RUNNING, *ENDED)
            await program.do("start", *RUNNING, *ENDED)
            await kubelet.end_program("local_done", 0)
            await kubelet.end_program("local_broken", 3)
            await program.become(**STATES)
            async with asyncio.timeout(30):  # a state is told at once, and on the disk a moment later
                while not all(self._has_exited(slug) for slug in ENDED):
                    await asyncio.sleep(0.02)
            kubelet.starts.clear()
            yield kubelet
            assert kubelet.faults == []

    def _has_exited(self, slug: str) -> bool:
        record = json.loads((self.program.state / "addons" / f"{slug}.json").read_text())
        return bool(record["data"]["intent"]["wanted"] == "exited")


@pytest.fixture
def home(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> Home:
    return Home(
        Program(
            folder=tmp_path,
            client=admin,
            namespace=namespace,
            server=plane.server,
            authority=plane.authority.certificate,
        )
    )


async def test_our_restart_changes_nothing(home: Home) -> None:
    """We are killed and come back: nothing starts, nothing stops, every state is what it was."""
    async with home.settled() as kubelet:
        before = dict(kubelet.running)
        await home.program.kill()
        await home.program.run()
        await home.program.become(**STATES)
        await asyncio.sleep(1)
        assert (kubelet.running, kubelet.starts, await home.program.states()) == (before, [], STATES)


async def test_a_node_restarts(home: Home) -> None:
    """With boot auto they come up again, one pod each and in the order of their phases; manual ones are stopped; what
    had ended by itself stays as it was.
    """
    async with home.settled() as kubelet:
        await kubelet.lose_sandboxes()
        await after_the_node(home.program, kubelet)


async def test_a_node_restarts_and_we_with_it(home: Home) -> None:
    """The same when we were not there to see it."""
    async with home.settled() as kubelet:
        await home.program.kill()
        await kubelet.lose_sandboxes()
        await home.program.run()
        await after_the_node(home.program, kubelet)


async def test_a_fault_passes_while_the_house_comes_up_again(home: Home) -> None:
    """What it hindered is in error for so long, whoever we are meanwhile, and comes up when it is over."""
    async with home.settled() as kubelet:
        kubelet.hindered["local_first"] = "CreateContainerError"
        await kubelet.lose_sandboxes()
        await home.program.become(**AFTER_THE_NODE | {"local_first": "error"})
        await home.program.kill()
        await home.program.run()
        await asyncio.sleep(1)
        assert await home.program.states() == AFTER_THE_NODE | {"local_first": "error"}
        kubelet.hindered.clear()
        await home.program.become(**AFTER_THE_NODE)
        assert sorted(kubelet.started_by(*RUNNING)) == ["local_first", "local_last", "local_middle"]


async def test_we_die_while_the_house_comes_up_again(home: Home) -> None:
    """Killed again and again in the middle of that, it still ends there."""
    async with home.settled() as kubelet:
        await kubelet.lose_sandboxes()
        for number in range(6):
            await asyncio.sleep(0.4 * number)
            await home.program.kill()
            await home.program.start()
        await home.program.up()
        await home.program.become(**AFTER_THE_NODE)
        await asyncio.sleep(1)
        assert await home.program.states() == AFTER_THE_NODE
        assert set(kubelet.running.values()) >= {"local_first", "local_middle", "local_last"}
        assert "local_manual" not in kubelet.running.values()


@pytest.mark.parametrize("away", [False, True], ids=["we see it", "we are away"])
async def test_pods_are_deleted(home: Home, away: bool) -> None:
    """A node is drained or given up: what ran comes up elsewhere whatever its boot rule, once; what had ended stays
    ended.
    """
    async with home.settled() as kubelet:
        if away:
            await home.program.kill()
        await kubelet.lose_pods()
        if away:
            await home.program.run()
        await home.program.become(**STATES)
        await asyncio.sleep(1)
        assert await home.program.states() == STATES
        assert sorted(kubelet.started_by(*RUNNING, *ENDED)) == sorted(RUNNING)


async def after_the_node(program: Program, kubelet: Kubelet) -> None:
    """Everything is where the boot rule leads, by the shortest way."""
    await program.become(**AFTER_THE_NODE)
    await asyncio.sleep(1)
    assert await program.states() == AFTER_THE_NODE
    assert kubelet.started_by(*RUNNING, *ENDED) == ["local_first", "local_middle", "local_last"]
    assert "local_manual" not in kubelet.running.values()
