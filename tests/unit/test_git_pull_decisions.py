"""The Git pull add-on decides: what of a commit becomes configuration, what stays, what needs a restart."""

from pathlib import Path

import pytest
import yaml

from git_pull.changes import Both, Changes, Disk, Edits, decide, edits, needs_restart, with_known
from git_pull.errors import OptionsError, TreeError
from git_pull.options import Login, Options
from git_pull.tree import Entry, read_tree

MANIFEST = Path(__file__).parents[2] / "addons" / "git_pull" / "config.yaml"
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
    near = (".gitignore", ".github/x.yaml", "git/x", "www/a.git/x", "a.b. c")
    assert set(read_tree(listing(*near)).files) == {*near}
    assert read_tree(b"").files == {}


def test_what_is_home_assistants_own_is_left_out() -> None:
    """A repository may have it; it is told and never taken."""
    commit = read_tree(listing(".storage/auth", ".cloud/key", "home-assistant_v2.db-wal", "storage.yaml"))
    assert set(commit.files) == {"storage.yaml"}
    assert commit.skipped == (".storage/auth", ".cloud/key", "home-assistant_v2.db-wal")


@pytest.mark.parametrize(
    "names",
    [("../x",), ("a/../../x",), ("/etc/passwd",), ("a//b",), (".git/config",), ("a/.GIT/config",), ("a\nb",),
     (".git_pull/plan.json",), (".Git_Pull/plan.json",), ("A.yaml", "a.yaml"), ("Dir/x", "dir/y"),
     ("Küche.yaml", "Ku\u0308che.yaml"), ("A", "a/x"), ("a", "a/x"), ("a", "a"), ("..",), ("a\\..\\..\\x",),
     (".git./hooks/x",), ("a/.GIT ",), (".git::$INDEX_ALLOCATION/x",), ("GIT~1/config",), (".g\u200cit/config",)],
)  # fmt: skip
def test_names_that_are_refused(names: tuple[str, ...]) -> None:
    """What would leave the configuration, touch git's or our own folder, or be one file on some volumes."""
    with pytest.raises(TreeError):
        read_tree(listing(*names))


def test_links_are_refused() -> None:
    """By their path."""
    with pytest.raises(TreeError, match="packages/x"):
        read_tree(listing("packages/x", mode="120000"))


def test_what_is_elsewhere() -> None:
    """Submodules that nobody wants are left out, as git does; files whose content is in LFS or in a submodule are known
    as such, and the user's changes of them are not given to the repository.
    """
    commit = read_tree(listing("packages/x", mode="160000") + b"100644 lfs %b\twww/film.mp4\0" % (b"a" * 40))
    assert commit.modules == ("packages/x",)
    assert commit.files == {"www/film.mp4": Entry("a" * 40, foreign=True)}
    assert edits(commit.files, Disk(ids={"www/film.mp4": C.id})) == Edits(left=("www/film.mp4",))


# --- what changes --------------------------------------------------------------------------------------------


def decided(
    before: Entry | None,
    wanted: Entry | None,
    live: Entry | str | None,
    *,
    replace: bool = False,
    both: Both = Both.STOP,
) -> Changes:
    """Of one path `x`; `live` as text: why it is no file."""
    old, new = ({} if entry is None else {"x": entry} for entry in (before, wanted))
    disk = Disk(odd={"x": live}) if isinstance(live, str) else Disk(ids={"x": live.id} if live else {})
    return decide(old, new, disk, replace=replace, both=both)


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


TAKEN = Changes(write={"x": B}, taken=("x",))


@pytest.mark.parametrize(
    ("before", "wanted", "live", "ours", "theirs"),
    [
        (A, B, C, KEPT, TAKEN), (None, B, C, KEPT, TAKEN), (A, None, C, KEPT, Changes(remove=("x",), taken=("x",))),
        (A, B, None, KEPT, WRITTEN), (A, B, A, WRITTEN, WRITTEN), (A, A, C, KEPT, KEPT), (A, A, None, KEPT, KEPT),
        (A, B, "a folder", ODD, ODD),
    ],
)  # fmt: skip
def test_changed_on_both_sides(
    before: Entry | None, wanted: Entry | None, live: Entry | str | None, ours: Changes, theirs: Changes
) -> None:
    """The user's stays, or the repository's is taken, as was chosen; what only one side changed stays that side's."""
    assert decided(before, wanted, live, both=Both.OURS) == ours
    assert decided(before, wanted, live, both=Both.THEIRS) == theirs


def test_the_users_changes_of_files_of_a_commit() -> None:
    """Written and deleted ones; secrets, wherever they lie, and what is no file are nobody's affair."""
    live = {"a.yaml": A, "run.sh": RUNS, "gone.yaml": A, "same.yaml": A, "x/Secrets.yaml": A, "odd": A}
    disk = Disk(
        ids={"a.yaml": C.id, "run.sh": C.id, "same.yaml": A.id, "x/Secrets.yaml": C.id, "new.yaml": C.id},
        odd={"odd": "a folder"},
    )
    assert edits(live, disk) == Edits(
        write={"a.yaml": C, "run.sh": Entry(C.id, executable=True)},
        remove=("gone.yaml",),
        left=("odd", "x/Secrets.yaml"),
    )


def test_changes_that_were_merged() -> None:
    """What a merge made of the user's changes is no clash with them; what the user did since then is one."""
    before, known, wanted = {"x": A, "gone": A}, {"x": C}, {"x": B}
    merged = with_known(before, known, Disk(ids={"x": C.id}))
    assert decide(merged, wanted, Disk(ids={"x": C.id}), replace=False) == WRITTEN
    since = Disk(ids={"x": RUNS.id.replace("a", "d")})
    assert decide(with_known(before, known, since), wanted, since, replace=False) == BOTH


def test_a_file_that_becomes_executable() -> None:
    """Its content is the same; it is written all the same."""
    assert decided(A, RUNS, A) == Changes(write={"x": RUNS})


@pytest.mark.parametrize("replace", [False, True])
def test_a_name_that_changes_its_case(*, replace: bool) -> None:
    """Where the volume keeps both names apart it is another file; where it does not, nothing is done: to remove the one
    would take the other away.
    """
    apart = decide({"X": A}, {"x": A}, Disk(ids={"X": A.id}), replace=replace)
    assert apart == Changes(write={"x": A}, remove=("X",))
    one = decide({"X": A}, {"x": A}, Disk(ids={"X": A.id, "x": A.id}), replace=replace)
    assert one.clashes == {"x": "it is X on the disk as well"}


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


def test_signers() -> None:
    """Nobody has to sign until somebody is named; a key is one text, with the empty line that belongs to it."""
    assert not Options.read(OFFICIAL).signers.wanted
    given = {"allowed_signers": ["me ssh-ed25519 AAAA"], "gpg_keys": ["-----BEGIN", "x", "-----END"]}
    signers = Options.read({**OFFICIAL, **given}).signers
    assert (signers.ssh, signers.gpg) == (("me ssh-ed25519 AAAA",), "-----BEGIN\n\nx\n-----END\n")
    assert signers.wanted
    for whole in (["-----BEGIN", "", "x"], ["-----BEGIN", "Comment: y", "", "x"]):
        assert Options.read({**OFFICIAL, "gpg_keys": whole}).signers.gpg.splitlines() == whole


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


def test_the_manifest_has_them_all() -> None:
    """The official add-on's options are ours with the same defaults, but for the address, which has none."""
    ours = yaml.safe_load(MANIFEST.read_text())
    assert {name: ours["options"][name] for name in OFFICIAL} == {**OFFICIAL, "repository": None}
    assert set(ours["options"]) == set(ours["schema"])
    assert Options.read({**ours["options"], "repository": OFFICIAL["repository"]}) == Options.read(OFFICIAL)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("stop", (Both.STOP, "")), ("ours", (Both.OURS, "")), ("theirs", (Both.THEIRS, "")), ("commit", (Both.STOP, "b"))],
)
def test_local_changes(chosen: str, expected: tuple[Both, str]) -> None:
    """Only where it is asked for is anything pushed, to the branch that is named."""
    options = Options.read({**OFFICIAL, "local_changes": chosen, "local_branch": "b"})
    assert (options.both, options.give) == expected
    with pytest.raises(OptionsError, match="local_branch"):
        Options.read({**OFFICIAL, "local_changes": "commit", "local_branch": " "})


def test_statuses() -> None:
    """Only with a token, which nobody sees."""
    assert Options.read({**OFFICIAL, "forge": "gitea"}).desk is None
    options = Options.read({**OFFICIAL, "forge": "gitea", "status_token": "s3cret"})
    assert options.desk is not None
    assert options.desk.address == "https://example.com/api/v1"
    assert "s3cret" not in repr(options)
    with pytest.raises(OptionsError, match="forge"):
        Options.read({**OFFICIAL, "status_token": "s3cret"})


def test_depth() -> None:
    """All of the history unless it is told; what is given back needs to know all of it."""
    assert Options.read(OFFICIAL).source.depth == 0
    assert Options.read({**OFFICIAL, "git_depth": 3}).source.depth == 3
    with pytest.raises(OptionsError, match="git_depth"):
        Options.read({**OFFICIAL, "git_depth": 1, "local_changes": "commit"})


def test_an_unknown_command() -> None:
    """The option is named."""
    with pytest.raises(OptionsError, match="git_command"):
        Options.read({**OFFICIAL, "git_command": "push"})
