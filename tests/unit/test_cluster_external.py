"""Which cluster is meant: a KUBECONFIG that happens to be set is no order, and nothing is guessed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.__main__ import main

COMMANDS = ("up", "down", "status", "env")

type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code and output of `python -m tests.cluster COMMAND` with this environment and an empty cache."""

    def run(command: str, **environment: str) -> tuple[int, str]:
        for name in ("CLUSTER", "KUBECONFIG", "OVERLAY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in ({"HOME": str(tmp_path), "SUPERVISOR_K8S_CACHE": str(tmp_path)} | environment).items():
            monkeypatch.setenv(name, value)
        code = main([command])
        return code, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_external_needs_a_kubeconfig(command: str, cluster: Run, tmp_path: Path) -> None:
    """Not even kubectl's default file is used: it may name a cluster that matters."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("apiVersion: v1\nkind: Config\n")
    code, said = cluster(command, CLUSTER="external")
    assert (code, said) == (1, "CLUSTER=external needs KUBECONFIG: the file that names the cluster to use\n")


def test_the_file_must_exist(cluster: Run, tmp_path: Path) -> None:
    """Kubectl would take a missing file for an empty one."""
    code, said = cluster("up", CLUSTER="external", KUBECONFIG=str(tmp_path / "missing"))
    assert code == 1
    assert "it must be one file that exists" in said


def test_a_slip_of_the_pen_is_no_local_cluster(cluster: Run) -> None:
    """`CLUSTER=extern make down` must not take the local one down."""
    code, said = cluster("down", CLUSTER="extern")
    assert code == 1
    assert "CLUSTER is 'extern'; it must be local (a cluster of this machine) or external (yours)" in said


def test_a_kubeconfig_alone_is_not_looked_at(cluster: Run, tmp_path: Path) -> None:
    """Without CLUSTER=external the local cluster is meant, whatever KUBECONFIG says."""
    foreign = tmp_path / "kubeconfig"
    foreign.write_text("no YAML: [")
    _, said = cluster("env", KUBECONFIG=str(foreign))
    assert str(foreign) not in said
    assert "no local cluster" in said or "export KUBECONFIG=/var/lib/supervisor-k8s-local/kubeconfig" in said
