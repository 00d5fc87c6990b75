"""Store repositories: their URLs, slugs and `repository.yaml`. Pure.

The slug is a hash of the whole string as it was entered, `#branch` and `.git` included, in lower case: installed
add-ons and backups of Home Assistant OS carry exactly this slug.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from supervisor_k8s.errors import RepositoryError

LOCAL = "local"
"""Slug of the folder with the user's own add-ons; it has no URL."""
_URL = re.compile(r"(?P<url>[^#\s\x00-\x1f\x7f]+)(?:#(?P<branch>[\w\-./]+))?")
_SCHEMES = ("https", "http", "ssh", "git")
"""Transports that fetch and do nothing else; git knows others that run commands."""
_SLUG_DIGITS = 8


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """Where a repository is cloned from; `branch` None means the remote's default."""

    url: str
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """What `repository.yaml` says for people."""

    name: str
    url: str | None = None
    maintainer: str | None = None


def parse_url(given: str) -> RepositoryUrl:
    """Read `url` or `url#branch`; RepositoryError says what is wrong with it."""
    match = _URL.fullmatch(given)
    # git would take a branch with a leading dash for an option, whoever calls it.
    if match is None or not _is_url(match["url"]) or (match["branch"] or "").startswith("-"):
        right = "a URL such as https://example.com/apps.git, with an optional #branch"
        raise RepositoryError(f"{given!r} is no repository: it must be {right}")
    return RepositoryUrl(match["url"], match["branch"])


def slug_of(given: str) -> str:
    """Slug of a repository by the string it was added with, as upstream: eight hex digits of its SHA-1."""
    return hashlib.sha1(given.lower().encode(), usedforsecurity=False).hexdigest()[:_SLUG_DIGITS]


def read_info(raw: Any) -> RepositoryInfo:
    """Read the content of `repository.yaml`; unknown keys are dropped. RepositoryError names the key at fault."""
    if not isinstance(raw, Mapping):
        raise RepositoryError("repository.yaml must be a mapping with at least a name")
    name, url, maintainer = raw.get("name"), raw.get("url"), raw.get("maintainer")
    if not isinstance(name, str):
        raise RepositoryError("repository.yaml: key name must be a text")
    if url is not None and not _is_url(url):
        raise RepositoryError("repository.yaml: key url must be a URL")
    if maintainer is not None and not isinstance(maintainer, str):
        raise RepositoryError("repository.yaml: key maintainer must be a text")
    return RepositoryInfo(name, url, maintainer)


def _is_url(given: Any) -> bool:
    try:
        vol.Url()(given)
    except vol.Invalid:
        return False
    return str(given).partition("://")[0].lower() in _SCHEMES
