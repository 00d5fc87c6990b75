"""Fixtures of the contract tier: a store on a real git server, and a Supervisor that uses it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.remote.certificates import make_keys, utc_now
from tests.contract.house import STORE, Home, git_server, make_repository


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a git server with the repositories `core` and `other`."""
    folder = tmp_path_factory.mktemp("git")
    make_repository(folder / "core", STORE, "Core")
    make_repository(folder / "other", {"one": {**STORE["panel"], "slug": "one"}}, "Other")
    make_repository(folder / "none", {}, "None")
    (folder / "none" / "repository.yaml").unlink()
    with git_server(folder) as address:
        yield address


@pytest.fixture(scope="session")
def link_keys() -> LinkKeys:
    return make_keys(utc_now())


@pytest.fixture
async def home(tmp_path: Path, store: str, link_keys: LinkKeys) -> AsyncIterator[Home]:
    """A Supervisor that is up, with Core running and the store cloned."""
    async with Home(tmp_path, store, link_keys).living() as home:
        await home.house.services.repositories.reload()
        yield home
