"""The Git pull add-on exchanges files: all of them or none, whenever its process ends."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from git_pull import turn
from git_pull.changes import Changes
from git_pull.disk import fingerprint, read_disk
from git_pull.errors import ChangedMeanwhileError, HeldError, PlanError
from git_pull.switch import Switch, Target
from git_pull.tree import Entry
from tests.unit.git_pull_cuts import AFTER, BEFORE, GONE, NEW, blob, found, make_house, prepared, write

APP = Path(__file__).parents[2] / "addons" / "git_pull" / "rootfs" / "app"
LOCK = Path(".git_pull", "lock")


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return make_house(tmp_path)


def finisher(live: Path) -> subprocess.Popen[str]:
    """The program that ends what was left open, with nothing but Python."""
    command = [sys.executable, "-S", "-m", "git_pull.finish", str(live)]
    return subprocess.Popen(command, env={"PYTHONPATH": str(APP)}, stdout=subprocess.PIPE, text=True)


def ended(program: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = program.communicate(timeout=30)
    return program.returncode, out


@contextmanager
def others_turn(live: Path) -> Iterator[None]:
    """As another program has it."""
    with (live / LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_ids_are_gits(live: Path) -> None:
    """So that the disk can be compared with a commit without git; as `git hash-object` says it."""
    assert read_disk(live, ["configuration.yaml"], like="0" * 40).ids == {
        "configuration.yaml": "489ce0f857e7634a0eb9f328265a3e91fad49f61"
    }
    longer = read_disk(live, ["configuration.yaml"], like="0" * 64).ids["configuration.yaml"]
    assert longer == hashlib.sha256(b"blob 3\0old").hexdigest()


def test_what_is_no_file_of_ours(live: Path) -> None:
    """Links are not followed, wherever in the path they are."""
    (live / "www").symlink_to("/tmp")
    (live / "link.yaml").symlink_to("secrets.yaml")
    disk = read_disk(live, ["www/x", "link.yaml", "packages", "same.yaml/x", "absent/x"], like="0" * 40)
    assert disk.ids == {}
    assert set(disk.odd) == {"www/x", "link.yaml", "packages", "same.yaml/x"}


def test_the_fingerprint_changes_with_what_core_reads(live: Path) -> None:
    """And not with what Home Assistant writes all the time."""
    before = fingerprint(live)
    write(live, {".storage/auth": "other", "home-assistant.log": "x", "www/x.json": "x"})
    assert fingerprint(live) == before
    write(live, {"packages/other.yaml": "x"})
    assert fingerprint(live) != before


def test_a_switch(live: Path) -> None:
    """New files are there, removed ones and folders that became empty are gone, all else is untouched."""
    switch = prepared(live)
    assert found(live) == BEFORE
    plan = switch.finish()
    assert plan is not None
    assert (plan.commit, plan.back) == ("c1", False)
    switch.close()
    assert found(live) == AFTER
    assert not (live / "deep").exists()
    assert not (live / ".git_pull").exists()
    assert switch.finish() is None


def test_files_keep_their_rights(live: Path) -> None:
    """What only its owner may read stays so."""
    (live / "configuration.yaml").chmod(0o600)
    prepared(live).finish()
    assert (live / "configuration.yaml").stat().st_mode & 0o777 == 0o600
    assert (live / "a/b/c.yaml").stat().st_mode & 0o777 == 0o644


def test_what_is_taken_from_the_user_is_kept(live: Path) -> None:
    """A copy, outside of the configuration, by the same paths."""
    prepared(live, taken=("packages/gone.yaml",)).finish()
    assert found(live.parent / "kept" / "c1") == {"packages/gone.yaml": "gone"}


def test_back_to_before_the_switch(live: Path) -> None:
    """One command brings back what was there before the first one: also with other tools than ours, twice over, and
    without taking away what was written since.
    """
    write(live, {"it's $HOME.yaml": "mine"})
    switch = prepared(live, taken=("configuration.yaml", *GONE, "it's $HOME.yaml"), first=True)
    switch.finish()
    switch.close()
    write(live, {"configuration.yaml": "new, and edited"})
    undone = live.parent / "undone"
    for times in (1, 2):
        subprocess.run(["sh", live.parent / "restore" / "c1.sh", live], check=True, timeout=30)
        assert found(live) == {**BEFORE, "it's $HOME.yaml": "mine"}
        assert len([*undone.iterdir()]) == times
    texts = [text for folder in undone.iterdir() for text in found(folder).values()]
    assert {*NEW.values(), "new, and edited", "mine"} <= {*texts}


def test_nothing_to_bring_back(live: Path) -> None:
    """There is no such command where nothing of the user's was replaced."""
    prepared(live).finish()
    assert not (live.parent / "restore").exists()


def test_a_change_just_before_the_switch(live: Path) -> None:
    """Nothing is done then, and nothing is left of the attempt."""
    changes = Changes(write={"configuration.yaml": Entry(blob("new"))})
    switch = Switch(live)
    with pytest.raises(ChangedMeanwhileError):
        switch.prepare(
            changes, {"configuration.yaml": blob("older")}, live.parent / "candidate",
            Target(commit="c1", repository="r", kept=live.parent / "kept", restore=live.parent / "restore"),
        )  # fmt: skip
    assert switch.finish() is None
    switch.close()
    assert found(live) == BEFORE


def test_a_change_during_the_switch(live: Path) -> None:
    """What was exchanged before it was noticed is put back, and the change of the user's stays; also when that is done
    by the next start.
    """
    prepared(live)
    write(live, {"packages/gone.yaml": "edited"})
    switch = Switch(live)
    plan = switch.finish()
    assert plan is not None
    assert plan.back
    again = Switch(live).finish()
    assert again == plan
    switch.close()
    assert found(live) == {**BEFORE, "packages/gone.yaml": "edited"}
    assert not (live / "a").exists()


@pytest.mark.parametrize("new_start", [False, True])
def test_a_trial_that_is_taken_back(live: Path, *, new_start: bool) -> None:
    """Everything is as it was, also to who looks for changes by size and time; a change made meanwhile stays."""
    before = fingerprint(live)
    switch = prepared(live, sure=False)
    switch.finish()
    assert found(live) == AFTER
    (Switch(live) if new_start else switch).take_back()
    assert (found(live), fingerprint(live)) == (BEFORE, before)
    assert not (live / ".git_pull").exists()
    switch = prepared(live, sure=False)
    switch.finish()
    write(live, {"configuration.yaml": "edited"})
    switch.take_back()
    assert found(live) == {**BEFORE, "configuration.yaml": "edited"}


def test_a_trial_that_went_well(live: Path) -> None:
    """What is sure is no longer taken back, by nobody."""
    switch = prepared(live, sure=False)
    switch.finish()
    switch.make_sure()
    Switch(live).take_back()
    plan = Switch(live).finish()
    assert plan is not None
    assert not plan.back
    assert found(live) == AFTER


def test_a_process_that_ends_anywhere(tmp_path: Path) -> None:
    """After the next start the configuration is the old or the new one, whole; before the plan was written the old one.
    It does not matter between which two steps, or that the next start ends as well.
    """
    command = [sys.executable, "-m", "tests.unit.git_pull_cuts", str(tmp_path)]
    subprocess.run(command, env={"PYTHONPATH": os.pathsep.join(sys.path)}, check=True, timeout=50)
    houses = [path / "config" for path in tmp_path.iterdir()]
    assert len(houses) > 60
    outcomes = set()
    for live in houses:
        switch = Switch(live)
        planned = (live / ".git_pull" / "plan.json").exists()
        after = found(live) == AFTER
        switch.finish()
        switch.close()
        assert found(live) == (AFTER if planned or after else BEFORE)
        assert not (live / ".git_pull").exists()
        outcomes.add((planned, after))
    assert outcomes == {(False, False), (True, False), (True, True), (False, True)}


def test_a_program_that_only_ends_switches(live: Path) -> None:
    """It carries out what is sure, takes a trial back, and is content when nothing is open. The add-on still hears what
    became of it, and a change that the user has made since is the user's.
    """
    assert ended(finisher(live)) == (0, "")
    prepared(live, sure=False).finish()
    assert ended(finisher(live)) == (0, "")
    assert found(live) == BEFORE
    prepared(live)
    code, said = ended(finisher(live))
    assert (code, found(live)) == (0, AFTER)
    assert "c1 that was not ended is carried out: a/b/c.yaml" in said
    write(live, {"configuration.yaml": "edited"})
    assert ended(finisher(live))[0] == 0
    switch = Switch(live)
    plan = switch.finish()
    assert plan is not None
    assert (plan.commit, plan.back) == ("c1", False)
    switch.close()
    assert found(live) == {**AFTER, "configuration.yaml": "edited"}
    assert not (live / ".git_pull").exists()


def test_one_at_a_time(live: Path) -> None:
    """Who comes later waits, and finds what the other one has left: the plan, or nothing any more."""
    prepared(live)
    with others_turn(live):
        program = finisher(live)
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0.5)
        assert found(live) == BEFORE
    assert (ended(program)[0], found(live)) == (0, AFTER)
    with others_turn(live):
        program = finisher(live)
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0.5)
        shutil.rmtree(live / ".git_pull")
    assert ended(program) == (0, "")


def test_a_turn_that_does_not_come(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute it is an error, and nothing was changed."""
    monkeypatch.setattr(turn, "WAIT", 0.1)
    switch = prepared(live)
    with others_turn(live):
        steps: tuple[Callable[[], object], ...] = (switch.finish, switch.take_back, switch.make_sure, switch.close)
        for step in steps:
            with pytest.raises(HeldError, match="lock has been locked by another program for 0 s"):
                step()
    assert found(live) == BEFORE
    assert switch.finish() is not None


GOOD = {"path": "configuration.yaml", "old": None, "new": None}


@pytest.mark.parametrize(
    "damaged",
    [
        "", "{", "[]", "7", '"x"', '{"steps": []}', '{"steps": [7]}', '{"steps": [{}]}', "\udcff",
        *(
            json.dumps({"commit": "c", "repository": "r", "steps": [{**GOOD, **other}]})
            for other in ({"path": "../x"}, {"path": "/x"}, {"path": "a//b"}, {"path": 7}, {"old": 7}, {"more": 7})
        ),
    ],
)  # fmt: skip
def test_a_damaged_plan(live: Path, damaged: str) -> None:
    """Nothing is done by it, nothing is lost, and it is said where everything lies; also a path that leads out of the
    configuration is nothing that was written by us.
    """
    switch = prepared(live)
    (live / ".git_pull" / "plan.json").write_bytes(damaged.encode(errors="surrogateescape"))
    steps: tuple[Callable[[], object], ...] = (switch.take_back, switch.finish)
    for step in steps:
        with pytest.raises(PlanError, match=r"plan\.json is damaged .* delete .*\.git_pull$"):
            step()
    assert found(live) == BEFORE
    assert len([*(live / ".git_pull" / "new").iterdir()]) == 3
    code, said = ended(finisher(live))
    assert (code, len(said.splitlines())) == (1, 1)


def test_a_volume_without_locks(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git pull does what it can there, as for a plan of a version that knew no turns."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    switch = prepared(live)
    (live / LOCK).unlink()
    assert switch.finish() is not None
    switch.close()
    assert found(live) == AFTER
    switch = prepared(make_house(live.parent / "other"))
    assert switch.finish() is not None
