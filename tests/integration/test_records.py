"""Our own files are damaged, gone, or cannot be written: what the house does, and what people are told."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import KINDS
from tests.cluster.controlplane import ControlPlane
from tests.integration.lives import Life, becomes, living, yes

SLUG = "local_a"
ADDONS = (
    {"slug": "a", "ports": {"80/tcp": 8080}, "options": {"colour": "red"}, "schema": {"colour": "str"}},
    {"slug": "b", "boot": "manual"},
    {"slug": "c"},
    {"slug": "once", "startup": "once"},
)
STATES = {SLUG: "started", "local_b": "stopped", "local_c": "error", "local_once": "stopped"}
AGAIN = {**dict.fromkeys(STATES, "started"), "local_once": "stopped"}
"""After a start of all of them."""


async def settle(life: Life) -> dict[tuple[str, str], str]:
    """One add-on runs with options of the user's, one is stopped, one has failed. What must not change of it all."""
    await life.program.do("install", *STATES)
    await life.do(f"/addons/{SLUG}/options", options={"colour": "blue"})
    await life.program.do("start", *STATES)
    await life.program.do("stop", "local_b")
    await life.kubelet.end_program("local_c", 3)
    await life.program.become(**STATES)
    return await workloads(life)


async def workloads(life: Life) -> dict[tuple[str, str], str]:
    """UIDs of all pods, Deployments and Services."""
    found: dict[tuple[str, str], str] = {}
    for kind in ("Pod", "Deployment", "Service", "StatefulSet"):
        items = (await life.others.client.request("GET", KINDS[kind].path(life.others.namespace)))["items"]
        found |= {(kind, item["metadata"]["name"]): item["metadata"]["uid"] for item in items}
    return found


async def issues(life: Life) -> set[tuple[str, str | None]]:
    """Reason (or type) and reference of every issue."""
    answer = await life.program.ask("GET", "/resolution/info")
    found = answer.body["data"]["issues"]
    return {((issue["reference_extra"] or {}).get("reason", issue["type"]), issue["reference"]) for issue in found}


async def options(life: Life) -> Any:
    return (await life.program.ask("GET", f"/addons/{SLUG}/info")).body["data"]["options"]


async def test_half_written_files(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """Every file of ours is cut off in the middle: nothing that runs is touched, what the cluster shows is a record
    again, each file is an issue and stands in the log once, and the add-ons can be used as before.
    """
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        before, program = await settle(life), life.program
        await program.kill()
        files = sorted(path.relative_to(program.state).as_posix() for path in program.state.rglob("*.json"))
        assert {"core.json", "addons/local_a.json", "addons/local_b.json", "addons/local_c.json"} <= set(files)
        for name in files:
            path = program.state / name
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
        program.log.write_text("")
        await program.run()
        await program.become(**STATES)
        damaged = {("state_file_damaged", f"{name}.damaged-1") for name in files}
        rebuilt = {("addon_record_rebuilt", slug) for slug in STATES}
        assert await issues(life) == damaged | rebuilt
        for name in files:
            assert program.said(1000).count(f"{name} is damaged") == 1
        assert program.said(1000).count(".damaged-1") == len(files)
        assert await options(life) == {"colour": "blue"}
        await asyncio.sleep(1)
        left = {key: uid for key, uid in before.items() if key != ("Deployment", "addon-local-b")}
        assert left.items() <= (await workloads(life)).items()
        await program.do("restart", *STATES)
        await program.become(**AGAIN)
        await program.do("uninstall", *STATES)
        await becomes(lambda: no_addons(life))


async def test_the_whole_volume_is_new(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """All our files are gone, and the store does not offer one of the add-ons: it is left alone and named, until its
    repository is there again.
    """
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        before, program = await settle(life), life.program
        await program.kill()
        shutil.rmtree(program.state)
        program.state.mkdir()
        offer, aside = program.data / "addons" / "local" / "a", tmp_path / "aside"
        offer.rename(aside)
        await program.run()
        await program.become(local_b="stopped", local_c="error", local_once="stopped")
        assert ("addon_record_lost", SLUG) in await issues(life)
        assert SLUG not in await program.states()
        await asyncio.sleep(1)
        left = {key: uid for key, uid in before.items() if key != ("Deployment", "addon-local-b")}
        assert left.items() <= (await workloads(life)).items()
        aside.rename(offer)
        await life.do("/store/reload")
        await becomes(lambda: has_state(life, SLUG, "started"))
        assert {("addon_record_lost", SLUG), ("addon_record_rebuilt", SLUG)} & await issues(life) == {
            ("addon_record_rebuilt", SLUG)
        }
        assert left.items() <= (await workloads(life)).items()
        await program.do("stop", SLUG)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state volume of half a megabyte."""
    folder = tmp_path / "state"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_volume(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path, small: Path) -> None:
    """While nothing can be written, what runs goes on, reads are answered, verbs say why they are refused and change
    nothing, also after a restart; with space everything goes on by itself.
    """
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        before, program = await settle(life), life.program
        fill(small / "filler")
        for _ in range(2):
            for path in (f"/addons/{SLUG}/stop", "/addons/local_b/start", f"/addons/{SLUG}/uninstall", "/core/stop"):
                answer = await program.ask("POST", path)
                assert (answer.status, "the state volume is full" in answer.body["message"]) == (400, True), answer
            assert await program.states() == STATES
            assert await workloads(life) == before
            assert ("state_not_written", None) in await issues(life)
            await program.kill()
            await program.run()
        (small / "filler").unlink()
        await program.do("stop", SLUG)
        assert await issues(life) == set()
        await program.do("start", *STATES)
        await program.become(**AGAIN)


async def no_addons(life: Life) -> bool:
    return not [name for _, name in await workloads(life) if name.startswith("addon-")]


def fill(path: Path) -> None:
    """Take all space there is."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


async def has_state(life: Life, slug: str, state: str) -> bool:
    return await yes((await life.program.states()).get(slug) == state)
