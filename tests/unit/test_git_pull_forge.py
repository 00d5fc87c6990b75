"""The Git pull add-on tells a forge what became of its commits."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from git_pull.errors import OptionsError
from git_pull.forge import Desk, Forge, Verdict, body, desk
from git_pull.history import Outcome, Run
from git_pull.verdicts import Verdicts

A, B = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("url", "forge", "expected"),
    [
        ("https://github.com/me/house.git", None, "https://api.github.com/repos/me/house/statuses/"),
        ("git@github.com:me/house.git", None, "https://api.github.com/repos/me/house/statuses/"),
        ("https://git.example:8443/me/house", "github", "https://git.example:8443/api/v3/repos/me/house/statuses/"),
        ("https://codeberg.org/me/house.git", None, "https://codeberg.org/api/v1/repos/me/house/statuses/"),
        ("ssh://git@git.example:2222/me/house", "gitea", "https://git.example/api/v1/repos/me/house/statuses/"),
        ("http://git.example:3000/me/house/", "gitea", "http://git.example:3000/api/v1/repos/me/house/statuses/"),
        ("https://gitlab.com/we/all/house.git", None, "https://gitlab.com/api/v4/projects/we%2Fall%2Fhouse/statuses/"),
    ],
)
def test_addresses(url: str, forge: str | None, expected: str) -> None:
    """Of the repository's own server, as its documentation has them; large ones are known by name."""
    found = desk(url, None if forge is None else Forge(forge))
    assert f"{found.address}{found.path}" == expected


def test_a_forge_that_nobody_knows() -> None:
    """The option is named."""
    with pytest.raises(OptionsError, match="forge"):
        desk("https://git.example/me/house", None)


def test_words() -> None:
    """Each forge's own; long ones are cut."""
    github, gitlab = (Desk(kind, "", "") for kind in (Forge.GITHUB, Forge.GITLAB))
    assert body(github, Verdict(A, good=True, said="x")) == {
        "state": "success",
        "context": "Home Assistant",
        "description": "x",
    }
    assert [body(github, Verdict(A, good, "x"))["state"] for good in (False, None)] == ["failure", "pending"]
    assert [body(gitlab, Verdict(A, good, "x"))["state"] for good in (True, False, None)] == [
        "success",
        "failed",
        "pending",
    ]
    assert body(gitlab, Verdict(A, good=False, said="x"))["name"] == "Home Assistant"
    assert len(body(github, Verdict(A, good=False, said="x" * 500))["description"]) == 140


class Server:
    """A forge that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, dict[str, str]]] = []
        self.status = 201
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        self.told.append((request.path, request.headers.get("Authorization"), json.loads(await request.text())))
        return web.json_response({}, status=self.status)


@pytest.fixture
async def forge() -> AsyncIterator[Server]:
    forge = Server()
    async with forge.server:
        yield forge


def run(commit: str | None, outcome: Outcome, said: str = "") -> Run:
    return Run(at=0, until=0, trigger="start", commit=commit, outcome=outcome, said=said)


async def test_what_is_told(forge: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Each news once, by the token; what says nothing about a commit is not told, and a forge that is out of order is
    no more than a warning, and told later.
    """
    async with aiohttp.ClientSession() as session:
        at = desk(f"{str(forge.server.make_url('')).rstrip('/')}/me/house", Forge.GITEA)
        verdicts = Verdicts(session=session, desk=at, token="t0ken")
        for one in (
            run(A, Outcome.LIVE), run(A, Outcome.UNCHANGED), run(B, Outcome.INVALID, "No such thing\nat all"),
            run(B, Outcome.INVALID, "No such thing\nat all"), run(None, Outcome.FAILED, "no network"),
            run(A, Outcome.WAITS),
        ):  # fmt: skip
            await verdicts.tell(one)
        paths, tokens, bodies = zip(*forge.told, strict=True)
        assert paths == tuple(f"/api/v1/repos/me/house/statuses/{commit}" for commit in (A, B))
        assert set(tokens) == {"Bearer t0ken"}
        assert [(body["state"], body["description"]) for body in bodies] == [
            ("success", "It is live"),
            ("failure", "No such thing"),
        ]
        forge.status = 403
        await verdicts.tell(run(A, Outcome.LIVE))
        assert "403" in caplog.text
        assert "t0ken" not in caplog.text
        forge.status = 201
        await verdicts.tell(run(A, Outcome.LIVE))
    assert len(forge.told) == 4
