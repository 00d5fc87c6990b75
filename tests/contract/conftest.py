"""Fixtures of the contract tier: a store on a real git server, and a Supervisor that uses it.

What is heavy is imported by the first fixture that needs it: pytest reads this file also in the process that only hands
out the tests to others, and these wait for it.
"""
# ruff: noqa: PLC0415

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from supervisor_k8s.model.desired.link import LinkKeys
    from tests.contract.house import Home


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a git server with the repositories `core` and `other`."""
    from tests.contract.house import STORE, git_server, make_repository

    folder = tmp_path_factory.mktemp("git")
    make_repository(folder / "core", STORE, "Core")
    make_repository(folder / "other", {"one": {**STORE["panel"], "slug": "one"}}, "Other")
    make_repository(folder / "none", {}, None)
    make_repository(folder / "broken", {"one": {"name": []}}, "Broken")
    with git_server(folder) as address:
        yield address


@pytest.fixture(scope="session")
def link_keys() -> "LinkKeys":
    from supervisor_k8s.remote.certificates import make_keys, utc_now

    return make_keys(utc_now())


@pytest.fixture(scope="session")
def clone(store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in store as our git makes it: an installation that has run before comes up with it."""
    from supervisor_k8s.model.repository import RepositoryUrl
    from supervisor_k8s.store.git import Git

    folder = tmp_path_factory.mktemp("clone")
    git = Git(home=folder, environment=os.environ)
    asyncio.run(git.clone(folder / "core", RepositoryUrl(f"{store}/core")))
    return folder / "core"


@pytest.fixture
async def home(tmp_path: Path, store: str, clone: Path, link_keys: "LinkKeys") -> AsyncIterator["Home"]:
    """A Supervisor that is up, with Core running and the store cloned."""
    from tests.contract.house import Home

    shutil.copytree(clone, tmp_path / "state" / "store" / "core")
    level = logging.getLogger().level
    async with Home(tmp_path, store, link_keys).living() as home:
        yield home
    logging.getLogger().setLevel(level)  # a test may have chosen another one through the API
