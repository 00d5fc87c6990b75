"""The Git pull add-on exchanges files: all of them or none, whenever its process ends."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_pull.changes import Changes
from git_pull.disk import fingerprint, read_disk
from git_pull.errors import ChangedMeanwhileError
from git_pull.switch import Switch, Target
from git_pull.tree import Entry
from tests.unit.git_pull_cuts import AFTER, BEFORE, GONE, NEW, blob, found, make_house, prepared, write


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return make_house(tmp_path)


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
