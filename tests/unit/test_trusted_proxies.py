"""Core behind a proxy: what becomes of its file or its store, when it restarts, and what people are told."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.model.desired.config_check import Candidate
from supervisor_k8s.model.http_config import Step, decide
from supervisor_k8s.services.trusted_proxies import BACKUP, FILE

from .proxies_house import (
    MINE,
    NEWER,
    OLDER,
    OTHER,
    PODS,
    TEXT,
    house_of,
    proxied,
    settings,
    told,
)

# --- a Core that reads the file ----------------------------------------------------------------------------------


async def test_the_file_is_changed_once_and_core_restarts_once(tmp_path: Path) -> None:
    """After a check of the very text; what was there before lies beside it; nothing else is left on the volume."""
    async with house_of(tmp_path, version=OLDER) as house:
        (tmp_path / FILE).chmod(0o640)
        assert await house.look(PODS)
        assert "    - 10.42.0.0/16  #" in house.text
        assert [house.text.encode()] == house.core.checked
        assert (tmp_path / BACKUP).read_text() == TEXT
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in (FILE, BACKUP)} == {0o640}
        assert await house.look(PODS)
        assert (house.core.restarts, len(house.core.checked), house.faults.said) == (1, 1, [])
        assert [path.name for path in tmp_path.iterdir()] == ["homeassistant"]
        assert len(list((tmp_path / FILE).parent.iterdir())) == 2


async def test_what_the_user_wrote_himself_needs_no_restart(tmp_path: Path) -> None:
    """Nor a check."""
    async with house_of(tmp_path, version=OLDER) as house:
        house.write("http:\n  use_x_forwarded_for: true\n  trusted_proxies: [10.0.0.0/8]\n")
        assert await house.look(PODS)
        assert (house.core.restarts, house.core.checked, (tmp_path / BACKUP).exists()) == (0, [], False)


async def test_without_the_setting_nothing_is_touched(tmp_path: Path) -> None:
    """Whatever Core is."""
    for version in (OLDER, NEWER):
        async with house_of(tmp_path / version, version=version) as house:
            assert await house.look()
            assert (house.text, house.core.restarts, house.core.said) == (TEXT, 0, [])


async def test_the_setting_goes_and_so_do_its_lines(tmp_path: Path) -> None:
    """With another restart, or Core would trust them on."""
    async with house_of(tmp_path, version=OLDER) as house:
        await house.look(PODS)
        assert await house.look()
        assert (house.text, house.core.restarts, house.remembered) == (TEXT, 2, [])


async def test_what_core_would_not_take_never_goes_live(tmp_path: Path) -> None:
    """Its words are told; the same is not asked twice; when it is right, the issue goes."""
    async with house_of(tmp_path, version=OLDER, objection="Invalid config for 'zha'") as house:
        service = house.service(PODS)
        assert not await house.look(service=service)
        assert not await house.look(service=service)
        assert (house.text, house.core.restarts, len(house.core.checked)) == (TEXT, 0, 1)
        assert house.faults.said == ["Invalid config for 'zha'"]
        house.core.objection = None
        house.write(f"{TEXT}zha:\n")
        assert await house.look(service=service)
        assert (house.core.restarts, house.faults.said) == (1, [])


async def test_an_included_section_is_left_to_its_owner(tmp_path: Path) -> None:
    """The issue has the lines to write."""
    async with house_of(tmp_path, version=OLDER) as house:
        house.write("http: !include http.yaml\n")
        assert not await house.look(PODS)
        (said,) = house.faults.said
        assert "`!include http.yaml`" in said
        assert "  use_x_forwarded_for: true\n  trusted_proxies:\n    - 10.42.0.0/16" in said
        assert house.core.restarts == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"# much\n" * 750_000), "more than 512 kB"),
        (lambda path: path.write_bytes(b"\x00\xff"), "no text in UTF-8"),
        (lambda path: path.write_text("http:\n\tserver_port: 1\n"), "indented with a tab"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/hosts")), "symbolic link"),
    ],
    ids=["5 MB", "binary", "tabs", "symlink"],
)
async def test_a_file_that_is_none(tmp_path: Path, make: Any, said: str) -> None:
    """Left as it is, with an issue; a link is not followed."""
    async with house_of(tmp_path, version=OLDER) as house:
        make(tmp_path / FILE)
        assert not await house.look(PODS)
        assert said in house.faults.said[0]
        assert (house.core.restarts, house.core.checked) == (0, [])


async def test_no_file_yet(tmp_path: Path) -> None:
    """Core makes it at its first start: nothing to complain of, and looked for again."""
    async with house_of(tmp_path, version=OLDER) as house:
        (tmp_path / FILE).unlink()
        assert not await house.look(PODS)
        assert house.faults.said == []


async def test_a_restart_that_failed_is_made_up_for(tmp_path: Path) -> None:
    """Also by another process of ours: the text is there already, and Core does not know it."""
    async with house_of(tmp_path, version=OLDER, migrating=True) as house:
        assert not await house.look(PODS)
        assert "migration" in house.faults.said[0]
        house.core.migrating = False
        another = house.service(PODS)
        house.faults.now.clear()
        assert await house.look(service=another)
        assert house.core.restarts == 1


async def test_no_fight_with_who_puts_the_file_back(tmp_path: Path) -> None:
    """Such as a repository: told once, not written again and again with a restart each time."""
    async with house_of(tmp_path, version=OLDER) as house:
        service = house.service(PODS)
        await house.look(service=service)
        house.write(TEXT)
        assert not await house.look(service=service)
        assert (house.text, house.core.restarts) == (TEXT, 1)
        assert "somebody has taken" in house.faults.said[0]


async def test_somebody_else_writes_meanwhile(tmp_path: Path) -> None:
    """While the text is checked: his stays, and is looked at next."""
    async with house_of(tmp_path, version=OLDER) as house:
        check = house.core.check

        async def slow(candidate: Candidate) -> None:
            await check(candidate)
            house.write(f"{TEXT}mqtt:\n")

        house.core.check = slow  # type: ignore[method-assign]
        assert not await house.look(PODS)
        assert house.text == f"{TEXT}mqtt:\n"
        assert "changed by somebody else" in house.faults.said[0]


# --- a Core with a store -----------------------------------------------------------------------------------------


async def test_core_is_told_restarts_and_is_told_that_it_is_good(tmp_path: Path) -> None:
    """One restart of its own, no file; the user's other settings go back as they came."""
    async with house_of(tmp_path, stable=settings(server_port=8124)) as house:
        assert not await house.look(PODS)
        assert house.core.active == "pending"
        assert await house.look(PODS)
        assert house.core.stable == proxied(PODS, server_port=8124)
        assert house.core.said == ["http/config", "http/config/configure", "http/config", "http/config/promote"]
        assert await house.look(PODS)
        assert (house.core.restarts, house.core.restarts_by_us, house.text) == (1, 0, TEXT)
        assert house.faults.said == []


async def test_other_proxies_take_the_place_of_ours_and_of_nobody_elses(tmp_path: Path) -> None:
    """The user's stay, also when the setting is gone."""
    async with house_of(tmp_path, stable=proxied(MINE)) as house:
        for proxies, expected in (((PODS,), [MINE, PODS]), ((OTHER,), [MINE, OTHER]), ((), [MINE])):
            await house.look(*proxies)
            await house.look(*proxies)
            assert house.core.stable["trusted_proxies"] == expected
        assert house.remembered == []


async def test_nothing_is_left_when_all_were_ours(tmp_path: Path) -> None:
    """Core takes forwarded addresses only together with a proxy."""
    async with house_of(tmp_path) as house:
        for proxies in ((PODS,), (PODS,), (), ()):
            await house.look(*proxies)
        assert house.core.stable == settings()


async def test_somebody_elses_trial_is_not_touched(tmp_path: Path) -> None:
    """The user tries another port: he alone says that it is good."""
    trial = settings(server_port=9000)
    async with house_of(tmp_path, pending=trial, active="pending") as house:
        assert not await house.look(PODS)
        assert house.core.said == ["http/config"]
        assert house.faults.said == []


async def test_a_trial_that_nobody_ended_is_begun_once_more(tmp_path: Path) -> None:
    """We were away for these five minutes; but not again and again, for each costs two restarts."""
    async with house_of(tmp_path) as house:
        await house.look(PODS)
        house.core.revert()
        service = house.service(PODS)
        assert not await house.look(service=service)
        assert house.core.active == "pending"
        house.core.revert()
        assert not await house.look(service=service)
        assert (house.core.active, house.faults.said) == (
            "stable",
            ["Home Assistant has tried them and gone back (not_promoted)"],
        )


async def test_core_does_not_restart(tmp_path: Path) -> None:
    """Its configuration has an error, so it refuses to: a person is told, once."""
    async with house_of(tmp_path, stuck=True) as house:
        service = house.service(PODS)
        for _ in range(3):
            assert not await house.look(service=service)
        assert len(house.faults.said) == 1
        assert "has not restarted" in house.faults.said[0]
        assert house.core.said.count("http/config/configure") == 1


async def test_core_is_away(tmp_path: Path) -> None:
    """Nothing to complain of: it is looked at when it is back."""
    async with house_of(tmp_path, away=True) as house:
        assert not await house.look(PODS)
        assert house.faults.said == []


async def test_lines_for_an_older_core_go_when_they_are_not_read_any_more(tmp_path: Path) -> None:
    """After an update of Core, which imports them, and complains of them from then on."""
    async with house_of(tmp_path, version=OLDER) as house:
        await house.look(PODS)
        house.core.version, house.core.stable = NEWER, proxied(PODS)
        assert await house.look(PODS)
        assert (house.text, house.core.said, house.core.restarts) == (TEXT, ["http/config"], 1)


async def test_it_looks_when_core_is_up(tmp_path: Path) -> None:
    """And not before."""
    async with house_of(tmp_path) as house, asyncio.TaskGroup() as tasks:
        service = house.service(PODS)
        running = tasks.create_task(service.run())
        await asyncio.sleep(0)
        assert house.core.said == []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                while house.core.active != "pending":
                    service.look_soon()
                    await asyncio.sleep(0.01)
                while house.core.pending is not None:
                    service.look_soon()
                    await asyncio.sleep(0.01)
        running.cancel()
        assert house.core.stable == proxied(PODS)


@pytest.mark.parametrize(
    ("core", "former", "step"),
    [
        (told(settings()), [], Step.CONFIGURE),
        (told(proxied(PODS)), [], Step.DONE),
        (told(proxied("10.0.0.0/8")), [], Step.DONE),
        (told(proxied(PODS, OTHER)), [OTHER], Step.CONFIGURE),
        (told(settings(use_x_forwarded_for=False, trusted_proxies=[PODS])), [], Step.CONFIGURE),
        (told(settings(), proxied(PODS), "pending"), [], Step.PROMOTE),
        (told(settings(), proxied(PODS)), [], Step.RESTART_MISSING),
        (told(settings(), proxied(PODS, server_port=1), "pending"), [], Step.WAIT),
        (told(proxied(PODS), settings(), "pending"), [], Step.WAIT),
        (told(settings(), {**proxied(PODS), "error": "apply_failed"}), [], Step.REFUSED),
        (told(settings(), {**proxied(OTHER), "error": "apply_failed"}), [], Step.CONFIGURE),
    ],
)
def test_what_comes_next(core: Mapping[str, Any], former: Sequence[str], step: Step) -> None:
    """By what Core tells of its store."""
    assert decide(core, [PODS], former).step is step
