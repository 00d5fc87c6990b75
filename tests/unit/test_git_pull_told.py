"""The Git pull add-on is told by Home Assistant: lines of its standard input."""

import asyncio

import pytest

from git_pull.bell import Bell, Wish
from git_pull.told import command, obey


@pytest.mark.parametrize("line", [b"check\n", b'"check"\n', b' {"command": "check"} \r\n', b"check"])
def test_ways_to_say_it(line: bytes) -> None:
    """As text, as JSON's text, as an object: Home Assistant writes what the automation has."""
    assert command(line) == "check"


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[1]\n", b"7\n", b"\xff\n", b"[" * 100_000, b'{"command": 1}'])
def test_what_is_no_command(line: bytes) -> None:
    """Whatever it is: it is none, and no trouble."""
    assert command(line) != "check"


async def test_commands_ring(caplog: pytest.LogCaptureFixture) -> None:
    """Each that is known asks for a pass, also after others and after one that is too long; the end of the input is no
    trouble.
    """
    bell, lines = Bell(), asyncio.StreamReader(limit=64)
    lines.feed_data(b"dance\n" + b"x" * 500 + b"\n\ncheck\n")
    lines.feed_eof()
    async with asyncio.timeout(10):
        await obey(lines, bell)
        assert await bell.wish(None) == Wish("Home Assistant")
    assert len(caplog.records) == 2
    assert "it knows: check" in caplog.text
    assert "dance" not in caplog.text
