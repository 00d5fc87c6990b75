"""`/supervisor/…` through Core's client."""

import asyncio

import pytest
from aiohasupervisor import SupervisorBadRequestError
from aiohasupervisor.models import (
    DetectBlockingIO,
    FeatureFlag,
    LogLevel,
    SupervisorOptions,
    SupervisorUpdateOptions,
    UpdateChannel,
)

from tests.contract.house import Home


async def test_info(home: Home) -> None:
    """What Core shows of us; the newest version is our own."""
    info = await home.client().supervisor.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", "2026.11.0", False)
    assert (str(info.ip_address), info.arch, info.channel) == ("10.96.0.20", "amd64", "stable")
    assert (info.healthy, info.supported, info.auto_update, info.diagnostics) == (True, True, True, None)
    assert info.feature_flags["supervisor_v2_api"] is False


async def test_options_are_kept(home: Home) -> None:
    """What was chosen is shown, and still there after our restart."""
    chosen = SupervisorOptions(
        channel=UpdateChannel.BETA,
        timezone="Europe/Amsterdam",
        logging=LogLevel.DEBUG,
        diagnostics=False,
        auto_update=False,
        country="NL",
        detect_blocking_io=DetectBlockingIO.ON,
        feature_flags={FeatureFlag.SUPERVISOR_V2_API: True},
    )
    await home.client().supervisor.set_options(chosen)
    await home.stop()
    await home.start()
    info = await home.client().supervisor.info()
    assert (info.channel, info.timezone, info.logging) == ("beta", "Europe/Amsterdam", "debug")
    assert (info.diagnostics, info.auto_update, info.country, info.detect_blocking_io) == (False, False, "NL", True)
    assert info.feature_flags["supervisor_v2_api"] is True


async def test_update_says_there_is_none(home: Home) -> None:
    """400 and never 200: Core would wait for our new version for ever."""
    supervisor = home.client().supervisor
    for options in (None, SupervisorUpdateOptions(version="2030.1.0")):
        with pytest.raises(SupervisorBadRequestError, match=r"^No supervisor update available - 2026\.11\.0$"):
            await supervisor.update(options)


async def test_stats_are_numbers(home: Home) -> None:
    """Zeros where nobody measures, never null."""
    stats = await home.client().supervisor.stats()
    assert (stats.cpu_percent, stats.memory_usage) == (0.0, 0)


async def test_reload_and_repair(home: Home) -> None:
    """Both are answered; there is nothing else to see of them."""
    await home.client().supervisor.reload()
    await home.client().supervisor.repair()


async def test_restart(home: Home) -> None:
    """Answered first, then we go; the Deployment starts us anew."""
    await home.client().supervisor.restart()
    async with asyncio.timeout(5):
        await home.house.stage.stopping.wait()
    assert home.house.stage.name == "stopping"


async def test_repositories_by_the_old_option(home: Home) -> None:
    """`addons_repositories` replaces the custom ones, as old clients do."""
    url = f"{home.store}/other"
    await home.raw("POST", "/supervisor/options", json={"addons_repositories": [url]})
    assert url in [found.source for found in await home.client().store.repositories_list()]
    await home.raw("POST", "/supervisor/options", json={"addons_repositories": []})
    assert url not in [found.source for found in await home.client().store.repositories_list()]


async def test_available_updates(home: Home) -> None:
    """None as long as everything is the newest."""
    assert await home.client().available_updates() == []
    assert (await home.raw("GET", "/supervisor/available_updates")).data == {"available_updates": []}
    await home.client().refresh_updates()
    await home.client().reload_updates()
