"""Tracked work: owned by us and not by who asked, one at a time for each group, told at every change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonNotInstalledError,
    BusyError,
    ImagePullError,
    JobNotDoneError,
    JobNotFoundError,
    NotReadyError,
    UnknownError,
)
from supervisor_k8s.jobs import Jobs, Progress


@pytest.fixture
async def jobs() -> AsyncIterator[Jobs]:
    jobs = Jobs()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(jobs.run())
        await asyncio.sleep(0)
        yield jobs
        running.cancel()


class Work:
    """Something that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.finished = False

    async def __call__(self, _progress: Progress) -> str:
        self.begun.set()
        await self.released.wait()
        self.finished = True
        return "result"


async def test_returns_what_the_work_returns(jobs: Jobs) -> None:
    """Who waits gets the result, and the finished job is gone."""

    async def work(_: Progress) -> int:
        return 42

    outcome = await jobs.do("app_start", "core_mosquitto", "app_core_mosquitto", work)
    assert (outcome.result, outcome.running) == (42, False)
    assert jobs.forest() == []


async def test_raises_what_the_work_raises(jobs: Jobs) -> None:
    """A refusal reaches who waits as it is, and leaves the group free."""

    async def work(_: Progress) -> None:
        raise AddonNotInstalledError

    for _ in range(2):
        with pytest.raises(AddonNotInstalledError):
            await jobs.do("app_start", "x", "app_x", work)


async def test_second_work_of_a_group_is_refused(jobs: Jobs) -> None:
    """Two operations on one add-on never overlap; the text is upstream's. Another add-on is free."""
    work, other = Work(), Work()
    other.released.set()
    first = asyncio.ensure_future(jobs.do("app_start", "x", "app_x", work))
    await work.begun.wait()
    with pytest.raises(BusyError, match=r"^Another job is running for job group app_x$"):
        await jobs.do("app_stop", "x", "app_x", Work())
    await jobs.do("app_stop", "y", "app_y", other)
    work.released.set()
    assert (await first).result == "result"


async def test_work_can_queue(jobs: Jobs) -> None:
    """What may wait has its turn when the group is free again, one after the other; until then it has not begun."""
    first, second, third = Work(), Work(), Work()
    running = [asyncio.ensure_future(jobs.do("app_stop", "x", "app_x", first))]
    await first.begun.wait()
    later = (jobs.do("app_manager_install", "x", "app_x", work, queue=True) for work in (second, third))
    running += map(asyncio.ensure_future, later)
    await asyncio.sleep(0)
    assert sorted(str(job["done"]) for job in jobs.forest()) == ["False", "None", "None"]
    first.released.set()
    await second.begun.wait()
    assert not third.begun.is_set()
    with pytest.raises(BusyError):
        await jobs.do("app_start", "x", "app_x", Work())
    second.released.set()
    third.released.set()
    assert [(await outcome).result for outcome in running] == ["result"] * 3
    assert jobs.forest() == []


async def test_goes_on_when_the_client_hangs_up(jobs: Jobs) -> None:
    """Cancelling who waits does not cancel the work, and the group stays taken until it ends."""
    work = Work()
    waiting = asyncio.ensure_future(jobs.do("app_start", "x", "app_x", work))
    await work.begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(BusyError):
        await jobs.do("app_stop", "x", "app_x", Work())
    work.released.set()
    while jobs.forest():
        await asyncio.sleep(0)
    assert work.finished


async def test_background_answers_after_the_checks(jobs: Jobs) -> None:
    """The first stage says that the checks are passed; the job can then be asked for by its id."""
    release = asyncio.Event()

    async def work(progress: Progress) -> None:
        progress.stage("pulling")
        await release.wait()

    outcome = await jobs.do("addon_manager_update", "x", "app_x", work, background=True)
    assert outcome.running
    shown = jobs.tree(outcome.job)
    assert (shown["name"], shown["reference"], shown["stage"], shown["done"]) == (
        "addon_manager_update",
        "x",
        "pulling",
        False,
    )
    release.set()


async def test_background_fails_fast(jobs: Jobs) -> None:
    """What the checks refuse is an error and no job."""

    async def work(_: Progress) -> None:
        raise AddonNotInstalledError

    with pytest.raises(AddonNotInstalledError):
        await jobs.do("app_install", "x", "app_x", work, background=True)


async def test_background_that_is_done_already_has_no_running_job(jobs: Jobs) -> None:
    """Work that ended before the answer is answered like work in the foreground."""

    async def work(_: Progress) -> None:
        return None

    assert not (await jobs.do("app_install", "x", "app_x", work, background=True)).running


async def test_every_change_is_told(jobs: Jobs) -> None:
    """Core sees begin, stage, progress and end, each once, with the keys of its job event."""
    told: list[Any] = []
    jobs.event.connect(told.append)

    async def work(progress: Progress) -> None:
        progress.stage("pulling")
        progress.stage("pulling")
        progress.percent(40)

    await jobs.do("app_install", "x", None, work)
    assert {message["event"] for message in told} == {"job"}
    seen = [(message["data"]["done"], message["data"]["stage"], message["data"]["progress"]) for message in told]
    assert seen == [
        (False, None, 0),
        (False, "pulling", 0),
        (False, "pulling", 40),
        (True, "pulling", 100),
    ]
    assert told[0]["data"]["parent_id"] is None
    assert "child_jobs" not in told[0]["data"]


async def test_errors_are_part_of_the_job(jobs: Jobs) -> None:
    """A failed job that is kept shows what went wrong and where, until it is deleted."""

    async def work(progress: Progress) -> None:
        progress.stage("pulling")
        raise ImagePullError(image="example/app:1", reason="no such host")

    with pytest.raises(ImagePullError):
        await jobs.do("backup_manager_full_backup", None, "backup_manager", work, keep=True)
    (shown,) = jobs.forest()
    (error,) = shown["errors"]
    assert (error["type"], error["stage"]) == ("ImagePullError", "pulling")
    assert "no such host" in error["message"]
    assert (shown["done"], shown["progress"]) == (True, 0)
    jobs.remove(shown["uuid"])
    with pytest.raises(JobNotFoundError):
        jobs.tree(shown["uuid"])


async def test_what_nobody_foresaw_is_part_of_the_job(jobs: Jobs) -> None:
    """In upstream's words: what the exception says is for the log, where the traceback is. Who waits gets it as it is,
    and the job is done.
    """

    async def work(progress: Progress) -> None:
        progress.stage("pulling")
        raise OSError(28, "no space left", "/state/secret")

    with pytest.raises(OSError, match="no space left"):
        await jobs.do("backup_manager_full_backup", None, "backup_manager", work, keep=True)
    (shown,) = jobs.forest()
    (error,) = shown["errors"]
    assert (error["type"], error["message"]) == ("HassioError", "Unknown error, see Supervisor logs")
    assert (error["stage"], error["error_key"], shown["done"]) == ("pulling", None, True)


async def test_children_are_shown_below_their_parent(jobs: Jobs) -> None:
    """Parts of a job form a tree, oldest first; removing the root removes all of it."""

    async def part(_: Progress) -> None:
        return None

    async def work(progress: Progress) -> None:
        await progress.child("backup_addon_save", "a", part, keep=True)
        await progress.child("backup_addon_save", "b", part, keep=True)

    outcome = await jobs.do("backup_manager_full_backup", None, None, work, keep=True)
    shown = jobs.tree(outcome.job)
    assert [child["reference"] for child in shown["child_jobs"]] == ["a", "b"]
    jobs.remove(outcome.job)
    assert jobs.forest() == []


async def test_the_stage_of_a_part_is_that_of_the_whole(jobs: Jobs) -> None:
    """Who follows the root sees how far it is, and who asked for the background is answered; a failure is told of
    both.
    """
    answered = asyncio.Event()

    async def part(progress: Progress) -> None:
        progress.stage("pulling")
        await answered.wait()
        raise ImagePullError(image="example/app:1", reason="no such host")

    async def work(progress: Progress) -> None:
        await progress.child("app_install", "x", part, keep=True)

    outcome = await jobs.do("app_manager_install", "x", None, work, background=True, keep=True)
    assert outcome.running
    (whole,) = jobs.forest()
    assert [job["stage"] for job in (whole, *whole["child_jobs"])] == ["pulling"] * 2
    answered.set()
    while not (whole := jobs.tree(outcome.job))["done"]:
        await asyncio.sleep(0)
    assert [job["errors"][0]["type"] for job in (whole, *whole["child_jobs"])] == ["ImagePullError"] * 2


async def test_running_job_cannot_be_removed(jobs: Jobs) -> None:
    """Only what is done can be forgotten."""
    work = Work()
    waiting = asyncio.ensure_future(jobs.do("app_start", "x", None, work))
    await work.begun.wait()
    (shown,) = jobs.forest()
    with pytest.raises(JobNotDoneError, match="is not done!"):
        jobs.remove(shown["uuid"])
    work.released.set()
    await waiting


async def test_shutdown_ends_the_work() -> None:
    """When we stop, work is cancelled and who waits hears that we are going."""
    jobs, work = Jobs(), Work()
    with pytest.raises(NotReadyError):
        await jobs.do("app_start", "x", None, work)
    running = asyncio.ensure_future(jobs.run())
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(jobs.do("app_start", "x", None, work))
    await work.begun.wait()
    running.cancel()
    with pytest.raises(NotReadyError, match="shutting down"):
        await waiting
    assert not work.finished


async def test_shutdown_ends_the_queue() -> None:
    """What has not had its turn never begins."""
    jobs, works = Jobs(), (Work(), Work())
    running = asyncio.ensure_future(jobs.run())
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(jobs.do("app_start", "x", "app_x", work, queue=True)) for work in works]
    await works[0].begun.wait()
    running.cancel()
    for refused in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(refused, NotReadyError)
    assert not works[1].begun.is_set()


async def test_an_attempt_survives_what_nobody_foresaw(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """A task of ours that brings work about gets every failure as an error; the log has the traceback, once."""

    async def breaks(_: Progress) -> None:
        raise OSError(28, "no space left")

    async def refuses(_: Progress) -> None:
        raise AddonNotInstalledError

    error = await jobs.attempt("app_recover", "x", "app_x", breaks)
    assert isinstance(error, UnknownError)
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    assert isinstance(await jobs.attempt("app_recover", "x", "app_x", refuses), AddonNotInstalledError)
    assert await jobs.attempt("app_recover", "x", "app_x", lambda _: asyncio.sleep(0)) is None
