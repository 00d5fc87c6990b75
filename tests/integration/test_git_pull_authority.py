"""The Git pull add-on follows a git server whose certificate is by an authority of the user's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_pull.errors import GitError, OptionsError
from git_pull.mirror import Mirror
from git_pull.options import Login, Source
from tests.authority import certified
from tests.gitserver import GitServer, Repository

from .git_pull_house import FIRST, Houseful, around, house, texts
from .test_git_pull_parts import ATTRIBUTES, add

__all__ = ["around", "house"]


@dataclass(frozen=True, slots=True)
class Private:
    """A git server at https, and the certificate (PEM) of the authority that its own is by."""

    server: GitServer
    repository: Repository
    authority: Path

    @property
    def url(self) -> str:
        return f"{self.server.url}/house"

    @property
    def lines(self) -> list[str]:
        return self.authority.read_text().splitlines()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Private]:
    yield from served(tmp_path / "private")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Private]:
    """By another authority."""
    yield from served(tmp_path / "other")


def served(folder: Path) -> Iterator[Private]:
    authority, tls = certified(folder / "authority", "127.0.0.1")
    (folder / "served").mkdir()
    with GitServer(folder / "served").running(tls) as server:
        server.url = f"https://{server.host}"
        server.login = ("me", "s3cret")
        repository = server.repository("house")
        repository.commit(dict(FIRST))
        yield Private(server, repository, authority)


async def test_a_house_from_such_a_server(house: Houseful, private: Private) -> None:
    """Without the option nothing is fetched and the server is told no login; with it the commit is live, with what it
    keeps in LFS and its submodules, and the server's own forge is told.
    """
    film = "a film\n" * 100_000
    named = private.server.repository("inner").commit({"dark.yaml": "dark: {}\n"})
    private.repository.commit({".gitattributes": ATTRIBUTES, "film.mp4": private.server.keep(film.encode())})
    add(private.repository, "themes/dark", "../inner", named)
    await house.set(
        repository=private.url, submodules=True, deployment_user="me", deployment_password="s3cret",
        status_token="t0ken", forge="gitea",
    )  # fmt: skip
    assert await house.run() == 1
    assert "certificate" in str(house.notifications()[-1])
    assert (texts(house.live), private.server.requests) == ({}, [])
    await house.set(certificate_authority=private.lines)
    assert await house.run() == 0
    assert (house.live / "film.mp4").read_text() == film
    assert (house.live / "themes/dark/dark.yaml").read_text() == "dark: {}\n"
    assert any("/api/v1/repos/house/statuses/" in path for path in private.server.requests)


async def test_all_others_are_trusted_as_before(
    private: Private, other: Private, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is beside the system's authorities, not in their place; and for one who has it alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(other.authority))
    mirror, login = Mirror(tmp_path / "mirror.git"), Login("me", "s3cret")
    for place in (private, other):
        commit = place.repository.commit({"configuration.yaml": f"{place.server.host}:\n"})
        source = Source(url=place.url, branch="main", login=login, authorities=private.authority.read_text())
        assert await mirror.fetch(source) == commit
    with pytest.raises(GitError, match="certificate"):
        await mirror.fetch(Source(url=private.url, branch="main", login=login))


async def test_what_is_no_certificate(house: Houseful) -> None:
    """The add-on ends at once, and its log says what is wrong."""
    await house.set(certificate_authority=["our-house.crt"])
    with pytest.raises(OptionsError, match="The option certificate_authority has no certificate; it must have PEM"):
        await house.run()
