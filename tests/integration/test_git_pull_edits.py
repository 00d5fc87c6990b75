"""Files that the user has or changed, and the Git pull add-on finds others in the repository."""

import subprocess

import pytest

from tests.gitserver import git

from .git_pull_house import FIRST, UNREADABLE, Houseful, around, house, texts

__all__ = ["around", "house"]


async def test_the_first_time_over_other_files(house: Houseful) -> None:
    """Nothing is changed and the files are listed, until the user says `adopt`; copies are kept then."""
    (house.live / "configuration.yaml").write_text("mine:\n")
    (house.live / "automations.yaml").write_text(FIRST["automations.yaml"])
    assert await house.run() == 1
    assert house.checked == []
    (shown,) = house.notifications()
    assert shown is not None
    assert "configuration.yaml" in shown
    assert "automations.yaml" not in shown
    await house.set(first_run="adopt")
    assert await house.run() == 0
    assert texts(house.live) == FIRST
    (kept,) = (house.data / "kept").iterdir()
    assert texts(kept) == {"configuration.yaml": "mine:\n"}
    (restore,) = (house.data / "restore").iterdir()
    subprocess.run(["sh", restore, house.live], check=True, timeout=30)
    before = {"configuration.yaml": "mine:\n", "automations.yaml": FIRST["automations.yaml"]}
    assert texts(house.live) == before
    assert await house.run() == 0
    assert texts(house.live) == before, "it is as the user wants it"


async def test_a_change_on_both_sides(house: Houseful) -> None:
    """`pull` changes nothing at all; `reset` takes the repository's and keeps a copy, each time."""
    await house.run()
    (house.live / "automations.yaml").write_text("- ui\n")
    house.repository.commit({"automations.yaml": "- git\n", "packages/a.yaml": "a: {}\n"})
    assert await house.run() == 1
    assert texts(house.live) == {**FIRST, "automations.yaml": "- ui\n"}
    await house.set(git_command="reset")
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n"
    (house.live / "automations.yaml").write_text("- again\n")
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n"
    copies = sorted(text for folder in (house.data / "kept").iterdir() for text in texts(folder).values())
    assert copies == ["- again\n", "- ui\n"]


@pytest.mark.parametrize(("chosen", "found"), [("ours", "- ui\n"), ("theirs", "- git\n")])
async def test_one_side_wins(house: Houseful, chosen: str, found: str) -> None:
    """Where both changed; the rest of the commit is live, and what the user alone changed stays."""
    await house.run()
    await house.set(local_changes=chosen)
    (house.live / "automations.yaml").write_text("- ui\n")
    (house.live / "configuration.yaml").write_text("mine:\n")
    house.repository.commit({"automations.yaml": "- git\n", "packages/a.yaml": "a: {}\n"})
    assert await house.run() == 0
    mine = {"automations.yaml": found, "packages/a.yaml": "a: {}\n", "configuration.yaml": "mine:\n"}
    assert texts(house.live) == mine


async def test_a_commit_that_mends_the_house(house: Houseful, caplog: pytest.LogCaptureFixture) -> None:
    """Broken by hand, the live configuration cannot be compared with: the commit is live, and its warnings are told."""
    await house.set(local_changes="theirs")
    await house.run()
    (house.live / "configuration.yaml").write_text(UNREADABLE)
    house.repository.commit({"configuration.yaml": "mended:\n", "packages/a.yaml": "nonsense\n"})
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, "configuration.yaml": "mended:\n", "packages/a.yaml": "nonsense\n"}
    assert "warns, which refuses nothing: Integration error: packages/a.yaml says nonsense" in caplog.text


async def test_changes_that_are_pushed(house: Houseful) -> None:
    """To a branch; once it is merged, what the merge made of them is live, although the file differed before."""
    await house.run()
    await house.set(local_changes="commit")
    (house.live / "automations.yaml").write_text("- ui\n")
    assert await house.run() == 0
    at = house.repository.path
    assert git(at, "show", "home-assistant:automations.yaml") == "- ui"
    house.repository.commit({"automations.yaml": "- git\n"})
    assert await house.run() == 1
    assert "merge the branch home-assistant" in str(house.notifications()[-1])
    assert (house.live / "automations.yaml").read_text() == "- ui\n"
    git(at, "merge", "--quiet", "--strategy", "ours", "--message", "merged", "home-assistant")
    house.repository.commit({"automations.yaml": "- git\n- ui\n"})
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n- ui\n"
