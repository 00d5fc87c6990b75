"""The add-on's options, as the user wrote them. Names, defaults and meaning are those of the official Git pull add-on;
those that it does not have are ours. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from git_pull.authorities import certificates
from git_pull.changes import Both
from git_pull.errors import OptionsError
from git_pull.forge import Desk, Forge, desk

SCHEMES = ("https", "http", "ssh", "git")
"""`file` and `ext` would read our disk and run commands."""

_COMMIT, _BY_NAME, _AUTHORITY = "commit", "auto", "certificate_authority"


@dataclass(frozen=True, slots=True)
class Login:
    """For HTTP. It is in no address, argument or log."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a commit comes from. `branch` may be a tag; empty: what the repository's HEAD names. `depth` is the number
    of commits that are fetched with their history; 0: all. `authorities` (PEM) are trusted beside the system's.
    """

    url: str
    branch: str = ""
    depth: int = 0
    login: Login | None = None
    key: str = field(default="", repr=False)
    known_hosts: tuple[str, ...] = ()
    authorities: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Scheme and host, to which a login belongs."""
        return "/".join(self.url.split("/")[:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """Whose commits are taken: lines as of `allowed_signers` of ssh-keygen, and public keys as gpg exports them."""

    ssh: tuple[str, ...] = ()
    gpg: str = ""

    @property
    def wanted(self) -> bool:
        """Whether a signature is asked for at all."""
        return bool(self.ssh or self.gpg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`interval` is None without one, else seconds between two passes. `give` is the branch to which changes of the
    user's are pushed; empty: they are not. `desk` is told what became of commits.
    """

    source: Source
    signers: Signers = Signers()
    reset: bool = False
    submodules: bool = False
    both: Both = Both.STOP
    give: str = ""
    prune: bool = False
    adopt: bool = False
    auto_reload: bool = True
    auto_restart: bool = False
    restart_ignore: tuple[str, ...] = ("ui-lovelace.yaml", ".gitignore")
    interval: float | None = None
    webhook_secret: str = field(default="", repr=False)
    desk: Desk | None = None
    status_token: str = field(default="", repr=False)

    @property
    def lasting(self) -> bool:
        """Whether there is anything to wait for after the first pass."""
        return self.interval is not None or bool(self.webhook_secret)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """OptionsError, which names the option."""
        repeat, source = given.get("repeat") or {}, _source(given)
        changes = _one_of(given, "local_changes", (*Both, _COMMIT))
        if changes == _COMMIT and given.get("git_depth"):
            raise OptionsError("The option git_depth must be 0 with local_changes: commit, which needs the history")
        return cls(
            source=source,
            signers=Signers(ssh=_texts(given, "allowed_signers", ()), gpg=_keys(given)),
            reset=_one_of(given, "git_command", ("pull", "reset")) == "reset",
            both=Both.STOP if changes == _COMMIT else Both(changes),
            give=_branch(given) if changes == _COMMIT else "",
            submodules=bool(given.get("submodules", False)),
            prune=bool(given.get("git_prune", False)),
            adopt=_one_of(given, "first_run", ("refuse", "adopt")) == "adopt",
            auto_reload=bool(given.get("auto_reload", True)),
            auto_restart=bool(given.get("auto_restart", False)),
            restart_ignore=_texts(given, "restart_ignore", ("ui-lovelace.yaml", ".gitignore")),
            interval=max(1.0, float(repeat.get("interval", 300))) if repeat.get("active") else None,
            webhook_secret=str(given.get("webhook_secret") or ""),
            desk=_desk(given, source) if given.get("status_token") else None,
            status_token=str(given.get("status_token") or ""),
        )


def _source(given: Mapping[str, Any]) -> Source:
    address = str(given.get("repository") or "").strip()
    url, login = without_login(address)
    if given.get("deployment_user"):
        login = Login(str(given["deployment_user"]), str(given.get("deployment_password") or ""))
    return Source(
        url=url,
        branch=str(given.get("git_branch", "master") or ""),
        depth=max(0, int(given.get("git_depth") or 0)),
        login=login,
        key=_lines(given, "deployment_key"),
        known_hosts=_texts(given, "known_hosts", ()),
        authorities=certificates(_texts(given, _AUTHORITY, ()), option=_AUTHORITY),
    )


def without_login(address: str) -> tuple[str, Login | None]:
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


def _desk(given: Mapping[str, Any], source: Source) -> Desk:
    forge = _one_of(given, "forge", (_BY_NAME, *Forge))
    return desk(source.url, None if forge == _BY_NAME else Forge(forge))


def _branch(given: Mapping[str, Any]) -> str:
    branch = str(given.get("local_branch", "home-assistant") or "").strip()
    if not branch:
        raise OptionsError("The option local_branch is missing: the branch for changes that were made here")
    return branch


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


def _keys(given: Mapping[str, Any]) -> str:
    """Armored keys. The empty line after the first one, which a list of lines easily loses, is put back."""
    lines = list(_texts(given, "gpg_keys", ()))
    for number in range(len(lines) - 1, 0, -1):
        if lines[number - 1].startswith("-----BEGIN") and lines[number].strip() and ": " not in lines[number]:
            lines.insert(number, "")
    return "".join(f"{line}\n" for line in lines)


def _lines(given: Mapping[str, Any], name: str) -> str:
    """A text whose lines are the entries of a list."""
    return "".join(f"{line}\n" for line in _texts(given, name, ()))
