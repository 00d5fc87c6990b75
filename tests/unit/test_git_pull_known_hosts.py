"""The keys of forges that Git pull trusts without having been told."""

import base64
import hashlib

from git_pull.git import KNOWN_HOSTS

PUBLISHED = {
    "github.com": "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    "gitlab.com": "eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
    "codeberg.org": "mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
    "bitbucket.org": "ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
}
"""SHA-256 of their ED25519 keys, as the pages that the file names have them."""


def test_they_are_those_that_the_forges_publish() -> None:
    """Each forge's key has the fingerprint that it publishes; no other server is trusted."""
    lines = [line.split() for line in KNOWN_HOSTS.read_text().splitlines() if not line.startswith("#")]
    assert all(kind == "ssh-ed25519" for _, kind, _ in lines)
    digests = {host: hashlib.sha256(base64.b64decode(key)).digest() for host, _, key in lines}
    assert {host: base64.b64encode(one).decode().rstrip("=") for host, one in digests.items()} == PUBLISHED
    assert len(lines) == len(PUBLISHED)
