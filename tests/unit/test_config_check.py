"""Checks of Core's configuration: what its checker's output means, what runs in the cluster, and what is left there."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from supervisor_k8s.errors import (
    CandidateInvalidError,
    ClusterUnavailableError,
    ConfigInvalidError,
    OneOffError,
    RefusedError,
)
from supervisor_k8s.model.config_check import Findings, added, candidate_at, findings, lost_paths
from supervisor_k8s.model.desired.config_check import NAME, Candidate, check_job
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.services.config_check import ConfigCheck
from supervisor_k8s.services.one_offs import OneOffs
from tests import builders, golden
from tests.fakes import Behaviour, FakeCluster

IMAGE = "example.test/core:2026.11.0"
CANDIDATE = Candidate("addons/data/local_git/next", ("packages/old.yaml",))
NOISE = "INFO:homeassistant.util.package:Attempting install of x==1"
BROKEN = """ERROR:annotatedyaml.loader:while parsing a flow node
expected the node content, but found '<stream end>'
  in "/config/configuration.yaml", line 2, column 1
\x1b[31mFatal error while loading config:\x1b[0m while parsing a flow node
expected the node content, but found '<stream end>'
  in "/config/configuration.yaml", line 2, column 1
Traceback (most recent call last):
  File "<frozen runpy>", line 203, in _run_module_as_main
KeyError: 'components'
"""
"""Core 2026.11.0's output for `automation: [` with `--json`."""
WRONG = "Invalid config for 'foo' at configuration.yaml, line 5: expected int for dictionary value 'foo->n', got 'x'"


def said(errors: Mapping[str, Any] | None = None, warnings: Mapping[str, Any] | None = None) -> str:
    """The checker's output with `--json`."""
    result = {"config_dir": "/config", "errors": errors or {}, "warnings": warnings or {}, "components": ["a"]}
    return f"{NOISE}\n{json.dumps(result, indent=2)}\n"


# --- what it says ----------------------------------------------------------------------------------------------------


def test_findings() -> None:
    """Sentences of all domains; what was logged before, and configurations with their secrets, are left out."""
    output = said(
        errors={"http": ["Invalid config for 'http': bad", {"password": "topsecret"}]},
        warnings={"foo": [WRONG, "topsecret"], "General Warnings": ["Integration error: x - not found."]},
    )
    found = findings(output)
    assert found == Findings(("Invalid config for 'http': bad",), ("Integration error: x - not found.", WRONG))


def test_a_file_that_cannot_be_parsed() -> None:
    """Its `--json` fails; the sentence before the traceback is the error."""
    found = findings(BROKEN)
    assert found is not None
    assert found.errors[0].startswith("while parsing a flow node")
    assert found.errors[0].endswith("line 2, column 1")


@pytest.mark.parametrize(
    "output", ["", "Killed\n", "Aborting script, could not install dependency x\n", "{\n}\n", "}\n{\n"]
)
def test_a_checker_that_did_not_get_there(output: str) -> None:
    """Nobody knows."""
    assert findings(output) is None


def test_a_warning_that_was_there_before() -> None:
    """On another line, with its list in another order; the same one once more is new."""
    now = "Requirements for matter not found: ['b==1', 'a==2']."
    before = "Requirements for matter not found: ['a==2', 'b==1']."
    assert added([now, WRONG.replace("line 5", "line 9")], [WRONG, before]) == ()
    assert added([WRONG, WRONG.replace("line 5", "line 8")], [WRONG]) == (WRONG.replace("line 5", "line 8"),)
    assert added([WRONG.replace("'x'", "'y'")], [WRONG]) == (WRONG.replace("'x'", "'y'"),)


@pytest.mark.parametrize(
    ("path", "addon", "fine"),
    [
        ("addons/data/local_git/next", "local_git", True),
        ("addon_configs/local_git/a/b", "local_git", True),
        ("share/next", "local_git", True),
        ("addons/data/other/next", None, True),
        ("addons/data/other/next", "local_git", False),
        ("addons/data/local_git", "local_git", False),
        ("addons/data", None, False),
        ("share", None, False),
        ("homeassistant", None, False),
        ("homeassistant/next", None, False),
        ("ssl/x", None, False),
        ("backup/x", None, False),
        ("addons/local/x/y", None, False),
        ("share/../ssl", None, False),
        ("share/./x", None, False),
        ("share//x", None, False),
        ("/share/x", None, False),
        ("share/x/", None, False),
        ("share/x\0y", None, False),
        ("", None, False),
    ],
)
def test_where_a_candidate_may_be(path: str, addon: str | None, fine: bool) -> None:
    """Below an add-on's own folders or what all share, and nowhere else."""
    if fine:
        assert candidate_at(path, addon=addon) == path
    else:
        with pytest.raises(RefusedError, match="cannot be checked"):
            candidate_at(path, addon=addon)


@pytest.mark.parametrize("paths", [["/etc"], ["../x"], ["a//b"], [""], ["a\nb"], ["x" * 70_000]])
def test_paths_that_are_none(paths: list[str]) -> None:
    with pytest.raises(RefusedError, match="without"):
        lost_paths(paths)


# --- what runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "candidate"), [("live", None), ("candidate", CANDIDATE)])
def test_the_job_is_this(name: str, candidate: Candidate | None) -> None:
    """Reviewed as text: nothing of the house can be written, and no token is in it."""
    job = check_job(IMAGE, "Europe/Zurich", builders.site(), candidate=candidate, data=candidate is not None)
    golden.check(f"config-check/{name}.yaml", golden.manifests([job]))


class Runner:
    """Has programs done: gives what the test says for the live tree and for a candidate."""

    def __init__(self, **outputs: Ended) -> None:
        self.outputs, self.ran = outputs, list[str]()

    async def run(self, job: Mapping[str, Any]) -> Ended:
        name = "candidate" if "initContainers" in job["spec"]["template"]["spec"] else "live"
        self.ran.append(name)
        return self.outputs[name]

    @property
    def check(self) -> ConfigCheck:
        return ConfigCheck(run=self.run, image=lambda: IMAGE, timezone=lambda: "UTC", site=builders.site())


async def test_a_good_configuration() -> None:
    """Nothing to say, also when the exit code alone hides that an integration's part is wrong: as upstream."""
    runner = Runner(live=Ended("check", 0, "Incorrect config\n"))
    await runner.check.live()


@pytest.mark.parametrize(
    ("code", "output"), [(1, "\x1b[31mFailed config\x1b[0m\nwhy\n"), (0, "homeassistant.util.yaml: x\n")]
)
async def test_a_bad_configuration(code: int, output: str) -> None:
    """All that the checker wrote, without its colours."""
    runner = Runner(live=Ended("check", code, output))
    with pytest.raises(ConfigInvalidError) as caught:
        await runner.check.live()
    assert str(caught.value) == output.replace("\x1b[31m", "").replace("\x1b[0m", "")


async def test_a_good_candidate_is_checked_once() -> None:
    """Without a warning there is nothing to compare."""
    runner = Runner(candidate=Ended("check", 0, said()))
    assert await runner.check.candidate(CANDIDATE) == Findings()
    assert runner.ran == ["candidate"]


async def test_a_candidate_with_old_warnings_only() -> None:
    """They are told, and are no failure."""
    runner = Runner(
        candidate=Ended("check", 0, said(warnings={"foo": [WRONG]})),
        live=Ended("check", 0, said(warnings={"foo": [WRONG.replace("line 5", "line 4")]})),
    )
    assert (await runner.check.candidate(CANDIDATE)).warnings == (WRONG,)


async def test_a_candidate_with_a_new_warning() -> None:
    """Counts as failed, and only the new one is said."""
    runner = Runner(
        candidate=Ended("check", 0, said(warnings={"foo": [WRONG], "bar": ["Invalid config for 'bar'"]})),
        live=Ended("check", 0, said(warnings={"bar": ["Invalid config for 'bar'"]})),
    )
    with pytest.raises(CandidateInvalidError) as caught:
        await runner.check.candidate(CANDIDATE)
    assert str(caught.value) == WRONG
    assert caught.value.extra_fields == {"errors": [], "warnings": [WRONG]}


async def test_a_candidate_with_an_error() -> None:
    """The live tree is not asked."""
    runner = Runner(candidate=Ended("check", 1, BROKEN))
    with pytest.raises(CandidateInvalidError, match="expected the node content"):
        await runner.check.candidate(CANDIDATE)
    assert runner.ran == ["candidate"]


NOT_FOUND = said(errors={"General Errors": ["File configuration.yaml not found."]})


@pytest.mark.parametrize("live", [Ended("check", 1, BROKEN), Ended("check", 0, NOT_FOUND)])
async def test_a_candidate_that_mends_the_live_tree(live: Ended) -> None:
    """Is taken with warnings, which are told: nobody knows what a tree with errors would have warned of."""
    runner = Runner(candidate=Ended("check", 0, said(warnings={"foo": [WRONG]})), live=live)
    assert await runner.check.candidate(CANDIDATE) == Findings(warnings=(WRONG,))


async def test_a_candidate_that_mends_nothing() -> None:
    """Is refused for its error, whatever the live tree is."""
    runner = Runner(candidate=Ended("check", 1, BROKEN), live=Ended("check", 1, BROKEN))
    with pytest.raises(CandidateInvalidError, match="expected the node content"):
        await runner.check.candidate(CANDIDATE)


@pytest.mark.parametrize(
    ("ended", "error", "words"),
    [
        (Ended("overlay", 3, "a.yaml is a link that leads out\n"), RefusedError, "a.yaml is a link"),
        (Ended("overlay", 1, ""), OneOffError, "exit code 1"),
        (Ended("check", 137, "Killed\n"), OneOffError, "Killed"),
    ],
)
async def test_what_could_not_be_checked(ended: Ended, error: type[Exception], words: str) -> None:
    """Is no word on the candidate."""
    with pytest.raises(error, match=words) as caught:
        await Runner(candidate=ended).check.candidate(CANDIDATE)
    assert not isinstance(caught.value, CandidateInvalidError)


# --- programs that run once ------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def job() -> Mapping[str, Any]:
    return check_job(IMAGE, "UTC", builders.site())


async def test_a_program_runs_once_and_leaves_nothing(cluster: FakeCluster) -> None:
    """Its exit code and its output; neither Job nor pod stays."""
    cluster.programs[NAME] = lambda _: Behaviour(exit_code=1, says=("one", "two"))
    assert await OneOffs(cluster=cluster).run(job()) == Ended("check", 1, "one\ntwo\n")
    assert (cluster.select("Job", {}), cluster.pods()) == ([], [])


async def test_what_a_program_says_is_told_as_it_comes(cluster: FakeCluster) -> None:
    """With its container; a log that breaks off harms nobody."""
    cluster.programs[NAME] = lambda _: Behaviour(says=("one",))
    heard, two = list[tuple[str, str]](), asyncio.Event()

    def hear(container: str, line: str) -> None:
        heard.append((container, line))
        if line == "two":
            two.set()

    running = asyncio.create_task(OneOffs(cluster=cluster).run(job(), hear=hear))
    async with asyncio.timeout(10):
        while not cluster.followers:
            await asyncio.sleep(0)
        (pod,) = cluster.pods()
        name = pod["metadata"]["name"]
        cluster.say(name, "check", "two")
        await two.wait()
        cluster.cut(politely=False)
        cluster.say(name, "check", "three")
        cluster.exit(name, "check", 0, "left")
        assert await running == Ended("check", 0, "one\ntwo\nthree\n", "left")
    assert heard == [("check", "one"), ("check", "two")]
    assert cluster.followers == 0


def refuse(cluster: FakeCluster) -> None:
    cluster.programs[NAME] = lambda _: Behaviour(pull_error="manifest unknown")


def end_early(cluster: FakeCluster) -> None:
    def program(pod: Mapping[str, Any]) -> Behaviour:
        condition = {"type": "Failed", "status": "True", "message": "Job was active longer than specified deadline"}
        cluster.set_status("Job", NAME, conditions=[condition])
        return Behaviour()

    cluster.programs[NAME] = program


@pytest.mark.parametrize(("trouble", "words"), [(refuse, "manifest unknown"), (end_early, "longer than specified")])
async def test_a_program_that_gives_no_answer(
    cluster: FakeCluster, trouble: Callable[[FakeCluster], None], words: str
) -> None:
    """The reason is said, and nothing stays."""
    trouble(cluster)
    with pytest.raises(OneOffError, match=words):
        await OneOffs(cluster=cluster).run(job())
    assert (cluster.select("Job", {}), cluster.pods()) == ([], [])


async def test_what_an_earlier_process_left(cluster: FakeCluster) -> None:
    """Is removed at our start, and does not answer for the next one."""
    await cluster.apply(job())
    await OneOffs(cluster=cluster).sweep()
    assert cluster.select("Job", {}) == []
    await cluster.apply(job())
    cluster.programs[NAME] = lambda _: Behaviour(exit_code=0, says=("new",))
    assert await OneOffs(cluster=cluster).run(job()) == Ended("check", 0, "new\n")


async def test_an_api_server_that_is_away_at_the_end(cluster: FakeCluster) -> None:
    """The answer counts; the cluster removes the Job by itself."""
    cluster.programs[NAME] = lambda _: Behaviour(exit_code=0)
    cluster.fail("delete", ClusterUnavailableError("away"))
    assert (await OneOffs(cluster=cluster).run(job())).exit_code == 0
    assert job()["spec"]["ttlSecondsAfterFinished"] > 0
