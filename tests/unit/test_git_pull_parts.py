"""The Git pull add-on reads what a commit only points to: submodules, and files in LFS."""

import pytest

from git_pull.errors import TreeError
from git_pull.parts import Pointer, addresses, pointer, records, resolved

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
TEXT = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n".encode()
"""The example of git-lfs' own specification."""


def test_pointers() -> None:
    """Also with extensions; nothing that only looks like one is one."""
    assert pointer(TEXT) == Pointer(OID, 12345)
    assert pointer(TEXT.replace(b"oid", b"ext-0-foo sha256:00\noid", 1)) == Pointer(OID, 12345)
    for other in (b"", TEXT[:-1], TEXT + b"x", b"x" + TEXT, TEXT.replace(b"sha256", b"sha512"), TEXT.upper()):
        assert pointer(other) is None


def test_records() -> None:
    """With sizes and without; a submodule has none."""
    listing = b"100644 blob aa     130\ta b.bin\x00160000 commit bb       -\tx\x00"
    file, link = records(listing)
    assert (file.path, file.size, file.may_be_pointer, file.is_module) == (b"a b.bin", 130, True, False)
    assert (link.id, link.size, link.may_be_pointer, link.is_module) == ("bb", 0, False, True)
    assert not any(one.may_be_attributes for one in (file, link))
    tricky, plain = records(b"160000 commit bb -\t.gitattributes\x00100644 blob aa 9\tx/.gitattributes\x00")
    assert (tricky.may_be_attributes, plain.may_be_attributes) == (False, True)
    assert [one.line for one in records(b"100644 blob aa\ta b.bin\0")] == [b"100644 blob aa\ta b.bin\0"]


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("https://a.example/me/house.git", "../theme.git", "https://a.example/me/theme.git"),
        ("https://a.example/me/house.git/", "../../you/theme", "https://a.example/you/theme"),
        ("https://a.example/me/house", "./theme", "https://a.example/me/house/theme"),
        ("git@a.example:me/house.git", "../theme.git", "git@a.example:me/theme.git"),
        ("git@a.example:house.git", "../theme.git", "git@a.example:theme.git"),
        ("ssh://git@a.example:22/me/house.git", "../theme.git", "ssh://git@a.example:22/me/theme.git"),
        ("https://a.example/me/house", "https://b.example/x", "https://b.example/x"),
    ],
)
def test_relative_addresses(base: str, url: str, expected: str) -> None:
    """As `git submodule` has them: below or beside the repository's own."""
    assert resolved(base, url) == expected


def test_addresses_that_leave_the_server() -> None:
    """A step too many."""
    with pytest.raises(TreeError):
        resolved("https://a.example/house", "../../theme")


def test_addresses_of_submodules() -> None:
    """By path, whatever the submodule's name; one without an address is none."""
    settings = (
        b"submodule.themes/dark.path\nthemes/dark\0submodule.themes/dark.url\n../dark.git\0"
        b"submodule.x.y.path\npackages/x\0submodule.x.y.url\nhttps://b.example/x=1\0"
        b"submodule.z.path\nz\0core.bare\ntrue\0"
    )
    assert addresses(settings, "https://a.example/me/house") == {
        b"themes/dark": "https://a.example/me/dark.git",
        b"packages/x": "https://b.example/x=1",
    }
