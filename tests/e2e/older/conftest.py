"""Every fixture of the end-to-end tier, in the second house."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.house import Kubectl

from . import second_house


@pytest.fixture(scope="session")
def older_house() -> Iterator[str]:
    """Its namespace."""
    asyncio.run(second_house.install())
    yield second_house.NAMESPACE
    asyncio.run(second_house.remove())


@pytest.fixture
def kubectl(older_house: str) -> Kubectl:
    return Kubectl(older_house)
