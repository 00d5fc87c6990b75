"""The core-link's certificates: who is let in, and when they are renewed."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from supervisor_k8s.errors import UnknownError
from supervisor_k8s.model.desired.link import KeyPair, LinkKeys
from supervisor_k8s.remote.certificates import (
    client_context,
    make_keys,
    make_launch_keys,
    needs_renewal,
    usable,
    utc_now,
)
from tests.fake_core import server_context

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_new_keys_are_good_for_a_year() -> None:
    """A leaf is renewed a month before its year is over; the authority lasts for ten."""
    keys = make_keys(NOW)
    assert [needs_renewal(keys.server.certificate, NOW + timedelta(days=days)) for days in (0, 334, 335, 400)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert not needs_renewal(keys.authority.certificate, NOW + timedelta(days=3600))
    assert needs_renewal(keys.client.certificate, NOW - timedelta(days=1))
    assert needs_renewal("no certificate", NOW)


def test_a_renewal_keeps_the_authority() -> None:
    """Both ends can be renewed one after the other, because each still trusts the other."""
    first = make_keys(NOW)
    second = make_keys(NOW, first.authority)
    assert second.authority == first.authority
    assert second.server != first.server
    assert usable(second.server, first.authority)
    assert usable(first.client, second.authority)


def test_a_foreign_or_mixed_pair_is_not_usable() -> None:
    """A Secret that somebody edited is made anew instead of being served."""
    keys, others = make_keys(NOW), make_keys(NOW)
    assert not usable(others.server, keys.authority)
    assert not usable(KeyPair(keys.server.certificate, keys.client.key), keys.authority)
    assert not usable(KeyPair(keys.server.certificate, ""), keys.authority)
    assert not usable(KeyPair("", ""), keys.authority)


@pytest.mark.parametrize(
    ("end", "let_in"), [("client", True), ("server", False), ("foreign", False), ("nothing", False)]
)
def test_only_the_supervisors_certificate_opens_the_link(end: str, *, let_in: bool) -> None:
    """Not even the certificate that lies in Core's own pod: it is a server's."""
    keys, foreign = make_keys(utc_now()), make_keys(utc_now())
    shown = {"client": keys.client, "server": keys.server, "foreign": foreign.client}
    context = client_context(LinkKeys(keys.authority, keys.server, shown.get(end, keys.client)))
    if end == "nothing":
        context = ssl.create_default_context(cadata=keys.authority.certificate)
    assert _handshake(context, server_context(keys)) is let_in


@pytest.mark.parametrize("link", ["ingress-link", "core-link"])
def test_keys_of_a_launch_open_no_other_link(link: str) -> None:
    """Neither another add-on's nor Core's; and for the link that it belongs to they are good for as long as it runs."""
    keys = make_launch_keys(utc_now())
    other = make_keys(utc_now()) if link == "core-link" else make_launch_keys(utc_now())
    assert _handshake(client_context(keys), server_context(keys), "ingress-link")
    assert _handshake(client_context(other), server_context(other), link)
    stolen = LinkKeys(other.authority, other.server, keys.client)
    assert not _handshake(client_context(stolen), server_context(other), link)
    assert not _handshake(client_context(keys), server_context(other), link)
    own = LinkKeys(keys.authority, keys.server, keys.server)
    assert not _handshake(client_context(own), server_context(keys), "ingress-link")
    assert not needs_renewal(keys.server.certificate, utc_now() + timedelta(days=3600))
    assert keys.authority.key == ""


def test_the_link_must_show_our_certificate() -> None:
    """Somebody else at Core's address learns nothing: our end refuses before it says a word."""
    keys, foreign = make_keys(utc_now()), make_keys(utc_now())
    assert not _handshake(client_context(keys), server_context(foreign))


def test_keys_that_do_not_fit_are_named_as_such() -> None:
    """The error says what is wrong and shows no key."""
    keys = make_keys(NOW)
    mixed = LinkKeys(keys.authority, keys.server, KeyPair(keys.client.certificate, keys.server.key))
    with pytest.raises(UnknownError, match="client certificate cannot be used") as caught:
        client_context(mixed)
    assert "PRIVATE" not in str(caught.value)


def _handshake(ours: ssl.SSLContext, theirs: ssl.SSLContext, link: str = "core-link") -> bool:
    """Whether both sides come out of a handshake, without any socket. `link` is what the other side must be."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname=link)
    server = theirs.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    for _ in range(6):
        for name, side in (("client", client), ("server", server)):
            try:
                side.do_handshake()
                done.add(name)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return done == {"client", "server"}
