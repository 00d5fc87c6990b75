"""What a forge says when somebody has pushed: is it the forge, and does it concern us? Pure.

Known are GitHub (docs.github.com, "Validating webhook deliveries"), Gitea and Forgejo (docs.gitea.com, forgejo.org,
"Webhooks"), GitLab (docs.gitlab.com, "Webhooks": the secret token, and the signing token, which is that of
standardwebhooks.com), and whoever signs as one of them does. Nothing of a body is believed but which branch it is
about, and that only to be left in peace: what becomes live is always asked of the repository.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

LARGEST = 4 * 2**20
"""Bytes of a body. A larger push is found by the next interval."""
LATEST = 300.0
"""Seconds that a signed time may differ from ours."""
_HMAC = ("X-Hub-Signature-256", "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature")
"""The HMAC of the body in hex; the first one begins with `sha256=`."""
_EVENT = ("X-Forgejo-Event", "X-Gitea-Event", "X-Gogs-Event", "X-GitHub-Event", "X-Gitlab-Event")
_PUSHES = {"push", "Push Hook", "Tag Push Hook"}
_KEY = "whsec_"
_DIGITS = 12
"""Of the longest time that is read."""


class StrangerError(Exception):
    """Nobody who knows the secret has sent this."""


@dataclass(frozen=True, slots=True)
class Call:
    """`wanted`: somebody has pushed what we follow. `said` is for the forge's list of deliveries. `mark` is the same
    for the same delivery, by whomever it is sent again.
    """

    wanted: bool
    said: str
    mark: str


def read(headers: Mapping[str, str], body: bytes, *, secret: str, branch: str, now: float) -> Call:
    """`headers` whatever their case; `branch` as in the options; `now` in seconds since the epoch. StrangerError."""
    mark = _signature(headers, body, secret, now)
    event = next((headers[name] for name in _EVENT if name in headers), "")
    if event == "ping":
        return Call(wanted=False, said="pong", mark=mark)
    if event and event not in _PUSHES:
        return Call(wanted=False, said=f"{event} concerns nobody here", mark=mark)
    push = _content(body)
    ref = str(push.get("ref") or "")
    wanted = branch or _default_branch(push)
    if ref and wanted and ref not in {wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"}:
        return Call(wanted=False, said=f"{ref} is not followed here", mark=mark)
    return Call(wanted=True, said="will be looked at", mark=mark)


def _signature(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """What identifies the delivery. However wrong it is, the comparison takes as long."""
    key = secret.encode()
    if not key:
        raise StrangerError("There is no secret")
    for name in _HMAC:
        if name in headers:
            given = headers[name].removeprefix("sha256=")
            return _equal(given, hmac.new(key, body, hashlib.sha256).hexdigest())
    if "webhook-signature" in headers:
        return _standard(headers, body, secret, now)
    if "X-Gitlab-Token" in headers:
        _equal(headers["X-Gitlab-Token"], secret)
        return hashlib.sha256(body).hexdigest()
    raise StrangerError("It is not signed")


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """`v1,<base64>` of id, time and body, each with a dot in between; several while a key is exchanged."""
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    digits = sent.isascii() and sent.isdigit() and len(sent) <= _DIGITS
    if not (digits and abs(now - int(sent)) <= LATEST):
        raise StrangerError("It was not sent just now")
    content = f"{identity}.{sent}.".encode(errors="surrogateescape") + body
    wanted = base64.b64encode(hmac.new(_standard_key(secret), content, hashlib.sha256).digest()).decode()
    given = headers["webhook-signature"].split()
    if not any(_same(one.removeprefix("v1,"), wanted) for one in given):
        raise StrangerError("Its signature is another one")
    return wanted


def _standard_key(secret: str) -> bytes:
    if secret.startswith(_KEY):
        try:
            return base64.b64decode(secret.removeprefix(_KEY), validate=True)
        except ValueError:
            raise StrangerError("The secret is none of theirs") from None
    return secret.encode()


def _equal(given: str, wanted: str) -> str:
    if not _same(given, wanted):
        raise StrangerError("Its signature is another one")
    return wanted


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())


def _content(body: bytes) -> Mapping[str, Any]:
    """Its JSON, also as the field `payload` of a form, GitHub's other way; nothing when there is none."""
    text = body.decode(errors="replace")
    if text.startswith("payload="):
        text = parse_qs(text, keep_blank_values=True)["payload"][0]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _default_branch(push: Mapping[str, Any]) -> str:
    about = push.get("repository"), push.get("project")
    return next((str(one["default_branch"]) for one in about if isinstance(one, dict) and "default_branch" in one), "")
