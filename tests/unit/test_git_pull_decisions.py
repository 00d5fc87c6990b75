"""The Git pull add-on decides: what of a commit becomes configuration, what stays, what needs a restart."""

import pytest

from git_pull.changes import Changes, Disk, decide, needs_restart
from git_pull.errors import OptionsError, TreeError
from git_pull.options import Login, Options
from git_pull.tree import Entry, read_tree

A, B, C = Entry("a" * 40), Entry("b" * 40), Entry("c" * 40)
RUNS = Entry("a" * 40, executable=True)


def listing(*names: str, mode: str = "100644") -> bytes:
    return b"".join(f"{mode} blob {'a' * 40}\t{name}".encode() + b"\0" for name in names)


# --- what a commit has ---------------------------------------------------------------------------------------


def test_files_of_a_commit() -> None:
    """Every file by its path, with blanks and letters of any language in it."""
    files = read_tree(listing("configuration.yaml", "packages/Küche oben.yaml")).files
    assert files == {"configuration.yaml": A, "packages/Küche oben.yaml": A}
    assert read_tree(listing("run.sh", mode="100755")).files == {"run.sh": RUNS}
    assert read_tree(b"").files == {}


def test_what_is_home_assistants_own_is_left_out() -> None:
    """A repository may have it; it is told and never taken."""
    commit = read_tree(listing(".storage/auth", ".cloud/key", "home-assistant_v2.db-wal", "storage.yaml"))
    assert set(commit.files) == {"storage.yaml"}
    assert commit.skipped == (".storage/auth", ".cloud/key", "home-assistant_v2.db-wal")


@pytest.mark.parametrize(
    "names",
    [("../x",), ("a/../../x",), ("/etc/passwd",), ("a//b",), (".git/config",), ("a/.GIT/config",), ("a\nb",),
     (".git_pull/plan.json",), (".Git_Pull/plan.json",), ("A.yaml", "a.yaml"), ("Dir/x", "dir/y")],
)  # fmt: skip
def test_names_that_are_refused(names: tuple[str, ...]) -> None:
    """What would leave the configuration, touch git's or our own folder, or be one file on some volumes."""
    with pytest.raises(TreeError):
        read_tree(listing(*names))


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_links_and_submodules_are_refused(mode: str) -> None:
    """By their path."""
    with pytest.raises(TreeError, match="packages/x"):
        read_tree(listing("packages/x", mode=mode))


# --- what changes --------------------------------------------------------------------------------------------


def decided(before: Entry | None, wanted: Entry | None, live: Entry | str | None, *, replace: bool = False) -> Changes:
    """Of one path `x`; `live` as text: why it is no file."""
    old, new = ({} if entry is None else {"x": entry} for entry in (before, wanted))
    disk = Disk(odd={"x": live}) if isinstance(live, str) else Disk(ids={"x": live.id} if live else {})
    return decide(old, new, disk, replace=replace)


WRITTEN, REMOVED = Changes(write={"x": B}), Changes(remove=("x",))
NOTHING, KEPT = Changes(), Changes(kept=("x",))
BOTH = Changes(clashes={"x": "changed on the disk and in the repository"})
DELETED = Changes(clashes={"x": "deleted on the disk"})
ODD = Changes(clashes={"x": "a folder"})


@pytest.mark.parametrize(
    ("before", "wanted", "live", "expected"),
    [
        (A, A, A, NOTHING), (A, B, A, WRITTEN), (A, None, A, REMOVED), (None, B, None, WRITTEN),
        (A, A, C, KEPT), (A, A, None, KEPT), (A, A, "a folder", KEPT),
        (A, B, C, BOTH), (None, B, C, BOTH), (A, None, C, BOTH), (A, B, None, DELETED),
        (A, B, B, NOTHING), (None, B, B, NOTHING), (A, None, None, NOTHING),
        (A, B, "a folder", ODD), (None, B, "a folder", ODD), (A, None, "a folder", KEPT),
    ],
)  # fmt: skip
def test_pull(before: Entry | None, wanted: Entry | None, live: Entry | str | None, expected: Changes) -> None:
    """As `git pull`: what the user changed stays, and stops everything where the repository has something new."""
    assert decided(before, wanted, live) == expected


@pytest.mark.parametrize(
    ("before", "wanted", "live", "expected"),
    [
        (A, A, A, NOTHING), (A, B, A, WRITTEN), (A, None, A, REMOVED), (None, B, None, WRITTEN),
        (B, B, C, Changes(write={"x": B}, taken=("x",))), (B, B, None, WRITTEN),
        (A, B, C, Changes(write={"x": B}, taken=("x",))), (A, None, C, Changes(remove=("x",), taken=("x",))),
        (None, B, C, Changes(write={"x": B}, taken=("x",))), (None, B, B, NOTHING), (A, None, None, NOTHING),
        (A, B, "a folder", ODD), (A, A, "a folder", ODD), (A, None, "a folder", KEPT),
    ],
)  # fmt: skip
def test_reset(before: Entry | None, wanted: Entry | None, live: Entry | str | None, expected: Changes) -> None:
    """The repository wins; what it takes from the user is named. A folder is never taken for a file."""
    assert decided(before, wanted, live, replace=True) == expected


def test_a_file_that_becomes_executable() -> None:
    """Its content is the same; it is written all the same."""
    assert decided(A, RUNS, A) == Changes(write={"x": RUNS})


def test_what_no_commit_has_is_not_looked_at() -> None:
    """However the repository wins."""
    assert decide({}, {}, Disk(ids={"secrets.yaml": C.id}), replace=True) == NOTHING


# --- what needs a restart ------------------------------------------------------------------------------------


def test_ignored_for_a_restart() -> None:
    """A file by its whole path, a folder with all that is in it; a dot is a dot."""
    ignore = ("ui-lovelace.yaml", "www/", "themes")
    changed = ("ui-lovelace.yaml", "www/a b.js", "themes/x/y.yaml", "themes.yaml", "sub/ui-lovelace.yaml")
    assert needs_restart(changed, ignore) == ("themes.yaml", "sub/ui-lovelace.yaml")
    assert needs_restart(("ui-lovelaceXyaml",), ignore) == ("ui-lovelaceXyaml",)


# --- options -------------------------------------------------------------------------------------------------

OFFICIAL = {
    "git_branch": "master", "git_command": "pull", "git_remote": "origin", "git_prune": False,
    "repository": "https://example.com/house.git", "auto_restart": False,
    "restart_ignore": ["ui-lovelace.yaml", ".gitignore"], "repeat": {"active": False, "interval": 300},
    "deployment_user": "", "deployment_password": "", "deployment_key": [], "deployment_key_protocol": "rsa",
}  # fmt: skip


def test_options_of_the_official_add_on() -> None:
    """With its defaults: one pass, as `git pull`, without a restart."""
    options = Options.read(OFFICIAL)
    assert (options.source.url, options.source.branch) == ("https://example.com/house.git", "master")
    assert (options.source.login, options.source.key) == (None, "")
    assert [options.reset, options.prune, options.adopt, options.auto_restart] == [False] * 4
    assert options.interval is None
    assert options.restart_ignore == ("ui-lovelace.yaml", ".gitignore")


def test_options_that_change_something() -> None:
    """Each of them."""
    options = Options.read(
        {**OFFICIAL, "git_branch": "", "git_command": "reset", "git_prune": True, "auto_restart": True,
         "repeat": {"active": True, "interval": 60}, "restart_ignore": [], "first_run": "adopt",
         "deployment_user": "me", "deployment_password": "s3cret", "deployment_key": ["-----BEGIN", "x"],
         "known_hosts": ["git.example.com ssh-ed25519 AAAA"]}
    )  # fmt: skip
    assert [options.reset, options.prune, options.adopt, options.auto_restart] == [True] * 4
    assert (options.interval, options.restart_ignore) == (60, ())
    assert options.source.login == Login("me", "s3cret")
    assert options.source.key == "-----BEGIN\nx\n"
    assert options.source.known_hosts == ("git.example.com ssh-ed25519 AAAA",)
    assert "s3cret" not in repr(options)
    assert "BEGIN" not in repr(options)


def test_a_login_in_the_address() -> None:
    """It is taken out of the address, for that is an argument of git's."""
    source = Options.read({"repository": "https://me:a%40b@example.com:8443/house.git"}).source
    assert (source.url, source.login) == ("https://example.com:8443/house.git", Login("me", "a@b"))
    assert source.place == "https://example.com:8443"


@pytest.mark.parametrize("address", ["git@example.com:me/house.git", "ssh://git@example.com/house.git"])
def test_addresses_of_ssh(address: str) -> None:
    """Both ways to write one; the user in it is no secret."""
    assert Options.read({"repository": address}).source.url == address


@pytest.mark.parametrize("address", [None, "", "house", "/srv/house.git", "file:///srv/house", "ext::sh -c x", "-x:y"])
def test_addresses_that_are_refused(address: str | None) -> None:
    """What is missing, and what would read our disk or run commands."""
    with pytest.raises(OptionsError, match="repository"):
        Options.read({"repository": address})


def test_an_unknown_command() -> None:
    """The option is named."""
    with pytest.raises(OptionsError, match="git_command"):
        Options.read({**OFFICIAL, "git_command": "push"})
