"""Fixtures of the contract tier, and of what lives in the same house: a store on a real git server, and a Supervisor
that uses it.

A test that changes anything asks for a `home` of its own. One that only looks asks for `shared`, which is the same for
all tests of its module and comes up once; a module that wants more in it, say an add-on that runs, has a fixture
`standing` that puts it there.

What is heavy is imported by the first fixture that needs it: pytest reads this file also in the process that only hands
out the tests to others, and these wait for it.
"""
# ruff: noqa: PLC0415

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from supervisor_k8s.model.desired.link import LinkKeys
    from tests.contract.house import Home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who looks at what stands runs in its event loop."""
    for item in items:
        if "standing" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


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


@contextlib.contextmanager
def our_log() -> Iterator[None]:
    """Afterwards its level is as before: a test may choose another one through the API."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="module")
def around() -> dict[str, Any]:
    """Fields of `Home` that differ: for modules whose houses come up with something else around them."""
    return {}


@pytest.fixture
async def home(
    tmp_path: Path, store: str, clone: Path, link_keys: "LinkKeys", around: dict[str, Any]
) -> AsyncIterator["Home"]:
    """A Supervisor that is up, with Core running and the store cloned."""
    from tests.contract.house import Home

    shutil.copytree(clone, tmp_path / "state" / "store" / "core")
    with our_log():
        async with Home(tmp_path, store, link_keys, **around).living() as home:
            yield home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(
    tmp_path_factory: pytest.TempPathFactory, store: str, clone: Path, link_keys: "LinkKeys", around: dict[str, Any]
) -> AsyncIterator["Home"]:
    """As `home`, one for all tests of a module: for `shared` and for fixtures that put something into it."""
    from tests.contract.house import Home

    folder = tmp_path_factory.mktemp("standing")
    shutil.copytree(clone, folder / "state" / "store" / "core")
    async with Home(folder, store, link_keys, **around).living() as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module")
async def shared(standing: "Home") -> AsyncIterator["Home"]:
    """`standing`, for a test that leaves it as it is; the next one finds the same, or this one fails."""
    standing.core.forget()
    before = standing.found()
    with our_log():
        yield standing
    assert standing.found() == before, "a test that changes something needs a `home` of its own"
