"""The nginx before our API: what its configuration says, and what we repeat of its log."""

import pytest

from supervisor_k8s.api.front import without_request
from supervisor_k8s.model.front import Door, certificates, nginx_text
from supervisor_k8s.remote.certificates import make_launch_keys, utc_now

PLAIN = Door("door-1", "10.42.0.7", 8099)
LINKED = Door("door-2", "10.42.0.8", 4383, make_launch_keys(utc_now()))


def text(*doors: Door) -> str:
    return nginx_text(doors, listen=["8080"], own="/own", disk="/disk")


@pytest.mark.parametrize("name", ["X-Remote-User-Name", "X-Supervisor-Token", "X-Hassio-Key", "X-Forwarded-For"])
def test_no_spelling_of_a_header_gets_by(name: str) -> None:
    """With any of its dashes as underscores a header of ours is dropped: many programs read both as the same."""
    dashes = name.count("-")
    dropped = [line.split()[1] for line in text().splitlines() if line.endswith(' "";') and "proxy_set_header" in line]
    spelled = {one for one in dropped if one.replace("_", "-") == name}
    ours = 1 if name in ("X-Remote-User-Name", "X-Forwarded-For") else 0
    assert len(spelled) == 2**dashes - ours
    assert (name in spelled) is not bool(ours), "the plain one is set to our own word"


def test_a_door_with_keys_is_opened_with_them_alone() -> None:
    """Its certificate is shown and the other side's is checked; keys are in files of their own, never in the text."""
    shown = text(PLAIN, LINKED)
    assert LINKED.keys is not None
    assert "proxy_pass http://door-1$page_uri;" in shown
    assert "proxy_pass https://door-2$page_uri;" in shown
    assert shown.count("proxy_ssl_verify on;") == 2, "for bodies as they come and for gathered ones"
    assert "PRIVATE KEY" not in shown
    assert set(certificates(LINKED)) == {"door-2.pem", "door-2.ca.pem"}
    assert certificates(PLAIN) == {}


def test_its_log_is_repeated_without_what_was_asked_for() -> None:
    """The token in the path of a page, and what is in queries, are nobody's who reads logs; the address is of use."""
    line = (
        'connect() failed (111: Connection refused) while connecting to upstream, client: 10.42.0.1, server: , '
        'request: "GET /ingress/s3cret/start?token=x HTTP/1.1", upstream: "https://10.42.0.8:4383/start?token=x"'
    )  # fmt: skip
    told = "connect() failed (111: Connection refused) while connecting to upstream, at https://10.42.0.8:4383"
    assert without_request(line) == told
    assert without_request("still could not bind()") == "still could not bind()"
