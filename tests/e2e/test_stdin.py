"""A program that reads its standard input: Debian's shell as an add-on, told what to do."""

import json
import os
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.cluster import images, imports, paths
from tests.cluster.steps import Console, Context

from .house import Core, Kubectl, Supervisor, becomes

SLUG = "local_shell"
PODS = f"io.hass.addon={SLUG}"
IMAGE, _, TAG = images.STABLE.rpartition(":")
MANIFEST = {
    "name": "Shell", "version": TAG, "slug": "shell", "description": "Does what it reads", "image": IMAGE,
    "arch": ["amd64", "aarch64"], "stdin": True, "boot": "manual",
}  # fmt: skip


@pytest.fixture(scope="session")
def shell_image() -> None:
    """Where images come by name, this one is public."""
    if os.environ.get("CLUSTER") == "external":
        return
    console = Console()
    context = Context(paths.from_environment(), console)
    archive = images.stable_base(context)
    with context.step(f"import {archive.name}") as step:
        imports.import_archive(context.paths, step, archive.path, key=archive.key)
    console.close()


@pytest.fixture
async def shell(supervisor: Supervisor, shell_image: None) -> AsyncIterator[str]:
    """Slug of the add-on, installed and started."""
    folder = paths.from_environment().volumes / "shared" / "addons" / "local" / "shell"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(MANIFEST))
    try:
        assert (await supervisor.post("/store/reload")).status == 200
        for path in (f"/store/addons/{SLUG}/install", f"/addons/{SLUG}/start"):
            answer = await supervisor.post(path)
            assert answer.status == 200, answer
        yield SLUG
    finally:
        await supervisor.post(f"/addons/{SLUG}/uninstall")
        shutil.rmtree(folder)
        await supervisor.post("/store/reload")


async def said(supervisor: Supervisor, words: str) -> str:
    """What the program said, as soon as these words are in it."""

    async def look() -> str:
        log: str = (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]
        return log if words in log else ""

    return await becomes(look, what=f"{words!r} in the add-on's log")


async def test_what_is_sent_reaches_the_program(kubectl: Kubectl, supervisor: Supervisor, shell: str) -> None:
    """Line by line, long and with any character, as often as one likes: its input stays open and it runs on."""
    before = (await kubectl.pod(PODS))["metadata"]["uid"]
    for given, words in (
        ("echo got $((6 * 7))", "got 42"),
        (f"text={'x' * 200_000}; echo length ${{#text}}", "length 200000"),
        ("printf '%s\\n' 'Änne: \"|\\' $BASH_SUBSHELL\nfalse || echo second", "second"),
    ):
        answer = await supervisor.send(f"/addons/{shell}/stdin", given.encode())
        assert answer.data == {}
        log = await said(supervisor, words)
    assert 'Änne: "|\\' in log
    pod = await kubectl.pod(PODS)
    assert pod["metadata"]["uid"] == before
    assert {status["restartCount"] for status in pod["status"]["containerStatuses"]} == {0}
    assert await supervisor.state(shell) == "started"


async def test_the_way_through_core(core: Core, supervisor: Supervisor, shell: str) -> None:
    """Home Assistant's action sends its input as JSON; a text is then a word in quotes."""
    (entry,) = await core.get("/api/config/config_entries/entry?domain=hassio")
    await core.post(f"/api/config/config_entries/entry/{entry['entry_id']}/reload")  # Core learns of new add-ons late
    async with core.socket() as socket:

        async def sent() -> bool:
            data = {"addon": shell, "input": "hello from Core"}
            fields = {"domain": "hassio", "service": "addon_stdin", "service_data": data}
            return bool((await socket.command("call_service", **fields))["success"])

        await becomes(sent, what="Core accepts the action")
    assert "hello from Core: command not found" in await said(supervisor, "command not found")


async def test_a_program_that_has_ended_is_not_written_to(supervisor: Supervisor, shell: str) -> None:
    """It may be told to end; what comes later is refused."""
    assert (await supervisor.send(f"/addons/{shell}/stdin", b"exit 0")).status == 200

    async def stopped() -> bool:
        return await supervisor.state(shell) == "stopped"

    await becomes(stopped, what="the shell has ended")
    answer = await supervisor.send(f"/addons/{shell}/stdin", b"echo late")
    assert (answer.status, answer.body["error_key"]) == (400, "app_not_running_error")


async def test_a_program_that_does_not_read(supervisor: Supervisor, shell: str) -> None:
    """What no pipe holds is given up, and said so; the program is not hurt by it."""
    assert (await supervisor.send(f"/addons/{shell}/stdin", b"sleep 45")).status == 200
    answer = await supervisor.send(f"/addons/{shell}/stdin", b"# " + b"x" * 5_000_000)
    assert (answer.status, answer.body["message"]) == (400, "The program has not read its input within 20 seconds")
    assert await supervisor.state(shell) == "started"
