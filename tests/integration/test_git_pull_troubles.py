"""The Git pull add-on where something is missing in the middle: space on the disk, or the Supervisor."""

import subprocess
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from git_pull.__main__ import serve
from git_pull.web import Ports

from .git_pull_house import FIRST, SLUG, Houseful, around, house, texts

__all__ = ["around", "house"]


@pytest.fixture
def small(house: Houseful) -> Iterator[Houseful]:
    """Its configuration is on a volume of a megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", house.live], check=True)
    yield house
    subprocess.run(["umount", house.live], check=True)


async def test_a_full_disk(small: Houseful) -> None:
    """Nothing is changed, what was begun leaves Home Assistant its space, and a commit that fits is live."""
    await small.run()
    small.repository.commit({"configuration.yaml": "b:\n", "www/film.mp4": "x" * 1_500_000})
    assert await small.run() == 1
    assert "No space left" in str(small.notifications()[-1])
    assert texts(small.live) == FIRST
    assert list(small.live.glob(".*")) == []
    small.repository.commit({"www/film.mp4": None})
    assert await small.run() == 0
    assert texts(small.live) == {**FIRST, "configuration.yaml": "b:\n"}


async def test_a_supervisor_that_goes_in_the_middle(house: Houseful) -> None:
    """It is away when the files are to be checked: nothing is changed, and the next pass does all."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/core/check" and request.transport is not None:
            request.transport.abort()
        return web.json_response({"result": "ok", "data": {"slug": SLUG, "version": "2026.11.0"}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as going:
        address = str(going.make_url("")).rstrip("/")
        for _ in range(2):
            assert await serve(live=house.live, data=house.data, address=address, token="t", ports=Ports(0, 0, 0)) == 1
            assert texts(house.live) == {}
            await going.close()
    assert await house.run() == 0
    assert texts(house.live) == FIRST
