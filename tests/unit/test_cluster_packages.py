"""What the tests need of Debian's packages is installed by whoever runs them, also beside a cluster of the caller's."""

import os
from pathlib import Path

import pytest

from tests.cluster.__main__ import main

DPKG_QUERY = "#!/bin/sh\nfor name; do :; done; case $name in git-lfs|gnupg) ;; *) printf installed;; esac\n"
"""Of a machine that lacks two of them."""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What apt-get was told; the cluster is the caller's."""
    said = tmp_path / "said"
    programs = {"dpkg-query": DPKG_QUERY, "apt-get": f'#!/bin/sh\necho "$@" >> {said}\n'}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SUPERVISOR_K8S_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLUSTER", "external")
    return said


def test_what_is_missing_is_installed(said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing that is there is taken away for it, nor asked for again."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["packages"]) == 0
    assert said.read_text().splitlines() == [
        "update -q",
        "install -y -q --no-install-recommends --no-remove git-lfs gnupg",
    ]


def test_nobody_but_root_can(said: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command to give to root is told."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["packages"]) == 1
    assert "apt-get install git-lfs gnupg" in capsys.readouterr().out
    assert not said.exists()
