"""The tiers: unit and contract always run; integration and e2e when they are asked for, and then they must run."""

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.gitserver import GitServer

pytest_plugins = ["tests.house_fixtures"]
gc.disable()  # until all tests are there: to look through what is being imported frees nothing

HERE = Path(__file__).parent
TIERS = {"integration": 180, "e2e": 900}
"""Tiers by option, with the seconds one of their tests may take."""


def pytest_addoption(parser: pytest.Parser) -> None:
    for tier in TIERS:
        parser.addoption(f"--{tier}", action="store_true", help=f"run tests/{tier} too")


@cache
def tier_of(path: Path) -> str:
    """The folder below this one."""
    return path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""


def turn(item: pytest.Item) -> list[bool]:
    """By which tests are sorted: those of e2e come after all others, the last of them at the very end."""
    end = ("last", "upheaval", "late")
    return [item.get_closest_marker(name) is not None for name in end] if tier_of(item.path) == "e2e" else []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder, leave out tiers that were not asked for, put e2e last, of it what shakes the node,
    and who looks back at all that at the very end.
    """
    chosen, left_out = [], []
    for item in items:
        tier = tier_of(item.path)
        if tier in TIERS:
            item.add_marker(getattr(pytest.mark, tier))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIERS[tier]))
            if not config.getoption(f"--{tier}"):
                left_out.append(item)
                continue
        chosen.append(item)
    chosen.sort(key=turn)
    items[:] = chosen
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays until the end and is not to be looked through again and again; what comes, less often."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was left to collect is; pytest, which looks five times more, need not go through all the rest again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """One that serves nothing yet."""
    root = tmp_path / "served"
    root.mkdir()
    with GitServer(root).running() as server:
        yield server
