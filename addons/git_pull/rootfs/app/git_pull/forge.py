"""What a forge shows beside a commit: whether the house took it. Pure.

GitHub (docs.github.com, "REST API endpoints for commit statuses"), Gitea and Forgejo (their API's documentation, the
same words), and GitLab (docs.gitlab.com, "Commits API", "Set the pipeline status of a commit").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from git_pull.errors import OptionsError

NAME = "Home Assistant"
"""Of our status among others'."""
_LONGEST = 140
"""Characters, GitHub's limit."""


class Forge(StrEnum):
    GITHUB = "github"
    GITEA = "gitea"
    GITLAB = "gitlab"


_KNOWN = {"github.com": Forge.GITHUB, "gitlab.com": Forge.GITLAB, "codeberg.org": Forge.GITEA}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a forge takes statuses of a repository's commits: `path` is below `address`, and the commit follows it."""

    forge: Forge
    address: str
    path: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`good` is None while nobody knows: the user has to do something first."""

    commit: str
    good: bool | None
    said: str


def desk(url: str, forge: Forge | None) -> Desk:
    """For a repository's address. OptionsError where the forge is not known by its name."""
    scheme, host, path = _parts(url)
    kind = forge or _KNOWN.get(host.partition(":")[0])
    if kind is None:
        raise OptionsError("The option forge must say what kind of forge the repository is at")
    path = path.strip("/").removesuffix(".git")
    if kind is Forge.GITHUB:
        address = "https://api.github.com" if host == "github.com" else f"{scheme}://{host}/api/v3"
        return Desk(kind, address, f"/repos/{quote(path)}/statuses/")
    if kind is Forge.GITEA:
        return Desk(kind, f"{scheme}://{host}/api/v1", f"/repos/{quote(path)}/statuses/")
    return Desk(kind, f"{scheme}://{host}/api/v4", f"/projects/{quote(path, safe='')}/statuses/")


def body(desk: Desk, verdict: Verdict) -> Mapping[str, str]:
    """What is sent."""
    bad = "failed" if desk.forge is Forge.GITLAB else "failure"
    state = {True: "success", False: bad, None: "pending"}[verdict.good]
    name = "name" if desk.forge is Forge.GITLAB else "context"
    return {"state": state, name: NAME, "description": verdict.said[:_LONGEST]}


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, host with port, and path. One of ssh tells nothing of the port of HTTPS."""
    if "://" not in url:
        host, _, path = url.partition(":")
        return "https", host.rpartition("@")[2].lower(), path
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        return parts.scheme, parts.netloc.lower(), parts.path
    return "https", (parts.hostname or "").lower(), parts.path
