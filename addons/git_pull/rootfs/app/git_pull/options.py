"""The add-on's options, as the user wrote them. Names, defaults and meaning are those of the official Git pull add-on;
`first_run`, `auto_reload` and `known_hosts` are ours. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from git_pull.errors import OptionsError

SCHEMES = ("https", "http", "ssh", "git")
"""`file` and `ext` would read our disk and run commands."""


@dataclass(frozen=True, slots=True)
class Login:
    """For HTTP. It is in no address, argument or log."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a commit comes from. `branch` may be a tag; empty: what the repository's HEAD names."""

    url: str
    branch: str = ""
    login: Login | None = None
    key: str = field(default="", repr=False)
    known_hosts: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Scheme and host, to which a login belongs."""
        return "/".join(self.url.split("/")[:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`interval` is None for a single pass, else seconds between two."""

    source: Source
    reset: bool = False
    prune: bool = False
    adopt: bool = False
    auto_reload: bool = True
    auto_restart: bool = False
    restart_ignore: tuple[str, ...] = ("ui-lovelace.yaml", ".gitignore")
    interval: float | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """OptionsError, which names the option."""
        repeat = given.get("repeat") or {}
        return cls(
            source=_source(given),
            reset=_one_of(given, "git_command", ("pull", "reset")) == "reset",
            prune=bool(given.get("git_prune", False)),
            adopt=_one_of(given, "first_run", ("refuse", "adopt")) == "adopt",
            auto_reload=bool(given.get("auto_reload", True)),
            auto_restart=bool(given.get("auto_restart", False)),
            restart_ignore=_texts(given, "restart_ignore", ("ui-lovelace.yaml", ".gitignore")),
            interval=max(1.0, float(repeat.get("interval", 300))) if repeat.get("active") else None,
        )


def _source(given: Mapping[str, Any]) -> Source:
    address = str(given.get("repository") or "").strip()
    url, login = _without_login(address)
    if given.get("deployment_user"):
        login = Login(str(given["deployment_user"]), str(given.get("deployment_password") or ""))
    key = "\n".join(_texts(given, "deployment_key", ()))
    return Source(
        url=url,
        branch=str(given.get("git_branch", "master") or ""),
        login=login,
        key=f"{key}\n" if key else "",
        known_hosts=_texts(given, "known_hosts", ()),
    )


def _without_login(address: str) -> tuple[str, Login | None]:
    """`user@host:path` is ssh. A login in an HTTP address is taken out of it: arguments and errors show addresses."""
    if not address:
        raise OptionsError("The option repository is missing: the address of the git repository")
    if "://" not in address:
        if ":" in address and "::" not in address and not address.startswith(("-", "/", ":")):
            return address, None
        raise OptionsError("The option repository is no address of a git repository")
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise OptionsError(f"The option repository must be an address with {', '.join(SCHEMES)}, or user@host:path")
    if parts.scheme not in {"https", "http"} or not parts.username:
        return address, None
    login = Login(unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), login


def _one_of(given: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str:
    value = str(given.get(name) or allowed[0])
    if value not in allowed:
        raise OptionsError(f"The option {name} must be {' or '.join(allowed)}")
    return value


def _texts(given: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, list):
        raise OptionsError(f"The option {name} must be a list")
    return tuple(str(entry) for entry in value)
