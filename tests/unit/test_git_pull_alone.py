"""The Git pull program without a Supervisor decides: its options, what a restart has come to, what is new."""

from pathlib import Path
from typing import Any

import pytest

from git_pull import alone, flags
from git_pull.errors import OptionsError
from git_pull.figures import Figures
from git_pull.flags import FILES, FLAGS, Flags
from git_pull.history import Outcome, Run
from git_pull.kube import DEPLOYMENTS, STATEFUL_SETS, rolled_out
from git_pull.options import Signers
from git_pull.standalone import added
from git_pull.worktree import origin
from tests.unit.test_git_pull_authorities import LINES

SEED = {
    "--interval": ("INTERVAL", "60"),
    "--ha-config-path": ("CONFIG_PATH", "/homeassistant"),
    "--ha-url": ("HA_URL", "http://homeassistant:8123"),
    "--ha-token": ("HA_TOKEN", ""),
    "--git-ssh-key-path": ("GIT_SSH_KEY_PATH", ""),
    "--git-token": ("GIT_TOKEN", ""),
    "--kube-namespace": ("KUBE_NAMEPSACE", "homeassistant"),
    "--kube-deployment": ("KUBE_DEPLOYMENT", "homeassistant"),
    "--metrics": ("METRICS", "false"),
    "--metrics-port": ("METRICS_PORT", "8080"),
}
"""Flags of k8s-ha-git-sync with their variables and defaults, as its documentation spells them."""


@pytest.mark.parametrize("flag", SEED)
def test_options_of_k8s_ha_git_sync(flag: str) -> None:
    """Each by its flag, in both ways to write one, and by its variable; its default when it is not given."""
    variable, default = SEED[flag]
    assert Flags({}).text(flag) == default
    assert flags.parse([flag, "1"] if flag != "--metrics" else [f"{flag}=1"]) == {flag: "1"}
    assert flags.parse([f"{flag}=1"]) == {flag: "1"}
    assert flags.of_environment({variable: "1"}) == {flag: "1"}
    assert flags.of_environment({variable: ""}) == {}


def test_the_right_spelling_goes_first() -> None:
    """Also where the misspelt one is left over."""
    assert flags.of_environment({"KUBE_NAMEPSACE": "a", "KUBE_NAMESPACE": "b"}) == {"--kube-namespace": "b"}


def test_switches() -> None:
    """A flag without a value is true; what is neither true nor false is refused."""
    assert Flags(flags.parse(["--metrics", "--interval", "5"])).switch("--metrics")
    assert not Flags({"--metrics": "False"}).switch("--metrics")
    with pytest.raises(OptionsError, match="--metrics must be true or false"):
        Flags({"--metrics": "maybe"}).switch("--metrics")


@pytest.mark.parametrize("wrong", [["--ha-tokn", "s3cret"], ["s3cret"], ["--interval"], ["--ha-tokn=s3cret"]])
def test_mistakes_are_told_without_values(wrong: list[str]) -> None:
    """What stands behind a misspelt name may be a secret."""
    with pytest.raises(OptionsError) as told:
        flags.parse(wrong)
    assert "s3cret" not in str(told.value)


def test_secrets_are_parted_from_the_rest() -> None:
    """The rest is what the program may be called with."""
    given = flags.parse(["--ha-token", "s3cret", "--interval=5", "--git-token=s3cret", "--metrics"])
    assert flags.secrets(given) == {"--ha-token": "s3cret", "--git-token": "s3cret"}
    assert flags.parse(flags.arguments(given)) == {"--interval": "5", "--metrics": "true"}
    assert {name for name, flag in FLAGS.items() if flag.secret} == {"--ha-token", "--git-token"}


def test_files(tmp_path: Path) -> None:
    """Of keys and those who are trusted: what the options have as lists of lines."""
    given = {"--repository": "https://git.example.com/house.git", "--ha-config-path": str(tmp_path)}
    for flag in FILES:
        authority = flag == "--certificate-authority-path"
        (tmp_path / flag).write_text(("\n".join(LINES) if authority else f"{flag}\nline") + "\n")
        given[flag] = str(tmp_path / flag)
    options = alone.read(Flags(given))
    assert options.source.key == "--git-ssh-key-path\nline\n"
    assert options.source.known_hosts == ("--known-hosts-path", "line")
    assert options.source.authorities.splitlines() == LINES
    assert options.signers == Signers(ssh=("--allowed-signers-path", "line"), gpg="--gpg-keys-path\nline\n")
    with pytest.raises(OptionsError, match="--gpg-keys-path"):
        alone.read(Flags({**given, "--gpg-keys-path": "/none/such"}))


@pytest.mark.parametrize("value", ["", "-1", "1.5", "x", "²"])
def test_numbers(value: str) -> None:
    """Whole ones only."""
    with pytest.raises(OptionsError, match="--interval"):
        Flags({"--interval": value}).number("--interval")


# --- what git knows ------------------------------------------------------------------------------------------

CONFIG = """[core]
\tbare = false
[remote "backup"]
\turl = https://backup.example/x.git
[remote "origin"]
\turl = git@example.com:me/house.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
\tmerge = refs/heads/main
[branch "mine"]
\tremote = backup
\tmerge = refs/heads/theirs
"""


@pytest.mark.parametrize(
    ("config", "head", "expected"),
    [
        (CONFIG, "ref: refs/heads/main\n", ("git@example.com:me/house.git", "main")),
        (CONFIG, "ref: refs/heads/mine\n", ("https://backup.example/x.git", "theirs")),
        (CONFIG, "ref: refs/heads/new\n", ("git@example.com:me/house.git", "new")),
        (CONFIG, f"{'a' * 40}\n", ("git@example.com:me/house.git", "")),
        ('[remote "only"]\n url = x:y\n', "ref: refs/heads/main\n", ("x:y", "main")),
        ("[core]\n", "ref: refs/heads/main\n", ("", "main")),
        ("nonsense", "", ("", "")),
    ],
)
def test_where_a_work_tree_comes_from(config: str, head: str, expected: tuple[str, str]) -> None:
    """As `git pull` in it would see it."""
    assert origin(config, head) == expected


# --- what a restart has come to ------------------------------------------------------------------------------


def live(status: dict[str, Any]) -> dict[str, Any]:
    observed = {"observedGeneration": 2, **status}
    return {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": observed}


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ({"replicas": 1, "updatedReplicas": 1}, False),
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"replicas": 1, "availableReplicas": 1}, False),
        ({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}, False),
        ({}, False),
    ],
)
def test_a_deployment_is_restarted(status: dict[str, Any], *, done: bool) -> None:
    """When the controller has seen it, and only new pods are left and they are available."""
    assert rolled_out(DEPLOYMENTS, live(status)) is done


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"readyReplicas": 1, "currentRevision": "b", "updateRevision": "b"}, True),
        ({"readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"}, False),
        ({"currentRevision": "b", "updateRevision": "b"}, False),
        ({"readyReplicas": 1, "currentRevision": "a", "updateRevision": "a", "observedGeneration": 1}, False),
    ],
)
def test_a_stateful_set_is_restarted(status: dict[str, Any], *, done: bool) -> None:
    """When all pods are of the newest revision and ready."""
    assert rolled_out(STATEFUL_SETS, live(status)) is done


# --- what Home Assistant says --------------------------------------------------------------------------------


def test_new_warnings() -> None:
    """Those from before do not count, wherever in the file they stand now; a second one of a kind does."""
    before = ("x is unknown (see configuration.yaml, line 5).", "y is old.")
    after = ("x is unknown (see configuration.yaml, line 9).", "x is unknown (see configuration.yaml, line 12).")
    assert added(after, before) == (after[1],)


def test_the_gauge() -> None:
    """1 and 0 for configurations that are taken and refused; other troubles say nothing about one."""
    figures, seen, name = Figures(lambda: 0.0), [], "ha_git_sync_config_status"
    for outcome in (Outcome.FAILED, Outcome.LIVE, Outcome.CLASH, Outcome.INVALID, Outcome.FAILED, Outcome.UNCHANGED):
        figures.add(Run(at=0.0, until=0.0, trigger="start", outcome=outcome), None)
        seen.append([line for line in figures.text().decode().splitlines() if line.startswith(name)])
    assert seen == [[], *([f"{name} {value}"] for value in ("1.0", "1.0", "0.0", "0.0", "1.0"))]


def test_the_documentation_has_every_option() -> None:
    """With its variables and its default, and no other."""
    readme = Path(alone.__file__).parents[3] / "standalone" / "README.md"
    rows = [line.split("|") for line in readme.read_text().splitlines() if line.startswith("| `--")]
    told = {}
    for names, variables, default in (row[1:4] for row in rows):
        for name, variable in zip(_quoted(names), _quoted(variables), strict=True):
            told[name] = (variable, default.strip().strip("`"))
    known = {name: (flag.variables[0], flag.default) for name, flag in FLAGS.items()}
    known["--repository"] = (known["--repository"][0], "see below")
    known["--git-branch"] = (known["--git-branch"][0], "see below")
    for name in ("--ha-token", "--ha-token-file"):
        known[name] = (known[name][0], "required")
    assert told == known


def _quoted(cell: str) -> list[str]:
    return [part.strip().strip("`") for part in cell.split(",")]
