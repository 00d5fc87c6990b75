"""Tests of the contract tier that share a house share its event loop."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who looks at what stands runs in its event loop."""
    for item in items:
        if "standing" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
