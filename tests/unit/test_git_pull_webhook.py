"""The Git pull add-on is told by a forge that somebody has pushed. Payloads as the forges' documentation shows them,
cut to what somebody might read.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from multidict import CIMultiDict

from git_pull.webhook import LATEST, Call, StrangerError, read

SECRET, NOW = "It's a Secret to Everybody", 1_790_000_000
GITHUB = {
    "ref": "refs/heads/main", "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "after": "0000000000000000000000000000000000000001", "created": False, "deleted": False, "forced": False,
    "repository": {"id": 186853002, "full_name": "Codertocat/Hello-World", "default_branch": "main"},
    "pusher": {"name": "Codertocat"}, "commits": [],
}  # fmt: skip
GITEA = {
    "ref": "refs/heads/main", "before": "28e1879d029cb852e4844d9c718537df08844e03",
    "after": "bffeb74224043ba2feb48d137756c8a9331c449a",
    "commits": [{"id": "bffeb74224043ba2feb48d137756c8a9331c449a", "message": "Webhooks Yay!"}],
    "repository": {"id": 140, "full_name": "gitea/webhooks", "default_branch": "main"},
    "pusher": {"id": 1, "login": "gitea"},
}  # fmt: skip
GITLAB = {
    "object_kind": "push", "event_name": "push", "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
    "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "ref": "refs/heads/main", "user_name": "John Smith",
    "project": {"id": 15, "path_with_namespace": "mike/diaspora", "default_branch": "main"},
    "commits": [], "total_commits_count": 4,
}  # fmt: skip
PING = {"zen": "Responsive is better than fast.", "hook_id": 1, "hook": {"type": "Repository", "events": ["push"]}}
TAG = {**GITHUB, "ref": "refs/tags/simple-tag"}


def digest(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(body: bytes, event: str = "push") -> dict[str, str]:
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": "72d3162e", "X-Hub-Signature-256": f"sha256={digest(body)}"}


def gitea(body: bytes) -> dict[str, str]:
    """Gitea says it in GitHub's words, too."""
    return {"X-GitHub-Event": "push", "X-Gitea-Event": "push", "X-Gitea-Delivery": "f6266f16",
            "X-Gitea-Signature": digest(body), "X-Hub-Signature-256": f"sha256={digest(body)}"}  # fmt: skip


def forgejo(body: bytes) -> dict[str, str]:
    return {"X-Forgejo-Event": "push", "X-Forgejo-Delivery": "f6266f16", "X-Forgejo-Signature": digest(body)}


def gitlab(_body: bytes, token: str = SECRET) -> dict[str, str]:
    return {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "13792a34", "X-Gitlab-Token": token}


def standard(body: bytes, *, sent: float = NOW, key: bytes = SECRET.encode()) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(key, f"msg_1.{sent}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(sent), "webhook-signature": f"v1,AAAA v1,{signature}"}


FORGES = [(github, GITHUB), (gitea, GITEA), (forgejo, GITEA), (gitlab, GITLAB), (standard, {}), (standard, GITLAB)]


def asked(headers: Mapping[str, str], body: bytes, *, branch: str = "main", secret: str = SECRET) -> Call:
    return read(CIMultiDict({name.upper(): value for name, value in headers.items()}), body,
                secret=secret, branch=branch, now=NOW)  # fmt: skip


@pytest.mark.parametrize(("sign", "push"), FORGES)
def test_a_push(sign: Any, push: dict[str, Any]) -> None:
    """Of each forge, whatever the case of its headers; the same delivery has the same mark, another one another."""
    body, other = json.dumps(push).encode(), json.dumps({**push, "number": 2}).encode()
    call = asked(sign(body), body)
    assert call.wanted
    assert asked(sign(body), body).mark == call.mark != asked(sign(other), other).mark


@pytest.mark.parametrize(("sign", "push"), [one for one in FORGES if one[0] is not gitlab])
def test_a_body_that_somebody_changed(sign: Any, push: dict[str, Any]) -> None:
    """Is a stranger's, and so is one that was signed with another secret, or with none."""
    body = json.dumps(push).encode()
    for secret, content in ((SECRET, body + b" "), ("another", body), ("", body)):
        with pytest.raises(StrangerError):
            asked(sign(body), content, secret=secret)


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-GitHub-Event": "push"}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha256=\udce4ä"},
     gitlab(b"", "guess"), gitlab(b"", ""), {"X-Hub-Signature": "sha1=" + "0" * 40},
     {"webhook-signature": "v1,x"}, {"webhook-signature": "v1,x", "webhook-timestamp": "²"},
     {"webhook-signature": "v1,x", "webhook-timestamp": "9" * 5000},
     {"webhook-signature": "v1,x", "webhook-timestamp": str(NOW)}],
)  # fmt: skip
def test_strangers(headers: dict[str, str]) -> None:
    """Without a signature, with half of one, or with an old kind that is none any more."""
    with pytest.raises(StrangerError):
        asked(headers, b"{}")


def test_the_example_of_githubs_documentation() -> None:
    """Its secret, its body, its signature."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert asked({"X-Hub-Signature-256": signature}, b"Hello, World!").wanted


@pytest.mark.parametrize("late", [-LATEST - 1, LATEST + 1])
def test_what_was_signed_long_ago(late: float) -> None:
    """Where the time is signed, too: nobody can send it again tomorrow."""
    with pytest.raises(StrangerError, match="just now"):
        asked(standard(b"{}", sent=int(NOW + late)), b"{}")


def test_a_signing_token_of_gitlab() -> None:
    """It is the key in base64, after a word that says so."""
    key = bytes(range(32))
    secret = f"whsec_{base64.b64encode(key).decode()}"
    assert asked(standard(b"{}", key=key), b"{}", secret=secret).wanted
    with pytest.raises(StrangerError):
        asked(standard(b"{}", key=key), b"{}", secret="whsec_?")


@pytest.mark.parametrize(
    ("push", "branch", "wanted"),
    [
        (GITHUB, "main", True), (GITHUB, "house", False), (GITHUB, "", True), (GITEA, "house", False),
        ({**GITHUB, "ref": "refs/heads/other"}, "", False), ({**GITLAB, "ref": "refs/heads/other"}, "", False),
        (TAG, "simple-tag", True), (TAG, "main", False), ({**GITHUB, "ref": "main"}, "main", True),
        ({**GITHUB, "ref": "refs/heads/x/main"}, "main", False), ({}, "main", True), ([], "main", True),
    ],
)  # fmt: skip
def test_branches(push: Any, branch: str, wanted: bool) -> None:
    """Only what is followed starts a run; an empty option is the repository's default branch. Who says no branch may
    mean ours.
    """
    body = json.dumps(push).encode()
    assert asked(github(body), body, branch=branch).wanted is wanted


@pytest.mark.parametrize(("event", "said"), [("ping", "pong"), ("issues", "issues concerns nobody here")])
def test_other_events(event: str, said: str) -> None:
    """They are answered, for the forge shows it; nothing is done."""
    body = json.dumps(PING).encode()
    call = asked(github(body, event), body)
    assert (call.wanted, call.said) == (False, said)


def test_a_form() -> None:
    """GitHub's other way to send the same."""
    body = urlencode({"payload": json.dumps(GITHUB)}).encode()
    assert asked(github(body), body).wanted
    assert not asked(github(body), body, branch="house").wanted


@pytest.mark.parametrize("body", [b"", b"payload=", b"\xff", b"[" * 100_000, b'{"ref": 5}', b'{"repository": 5}'])
def test_bodies_that_say_nothing(body: bytes) -> None:
    """They are signed, so somebody wants something: it is looked at."""
    assert asked(github(body), body, branch="").wanted
