"""The tiers: unit and contract always run; integration and e2e when they are asked for, and then they must run."""

import gc
from pathlib import Path

import pytest

gc.disable()  # until all tests are there: to look through what is being imported frees nothing

HERE = Path(__file__).parent
TIERS = {"integration": 180, "e2e": 900}
"""Tiers by option, with the seconds one of their tests may take."""


def pytest_addoption(parser: pytest.Parser) -> None:
    for tier in TIERS:
        parser.addoption(f"--{tier}", action="store_true", help=f"run tests/{tier} too")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder, leave out tiers that were not asked for, put e2e last, of it what shakes the node."""
    chosen, left_out = [], []
    for item in items:
        tier = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if tier in TIERS:
            item.add_marker(getattr(pytest.mark, tier))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIERS[tier]))
            if not config.getoption(f"--{tier}"):
                left_out.append(item)
                continue
        chosen.append(item)
    chosen.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in ("e2e", "upheaval", "late")])
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
