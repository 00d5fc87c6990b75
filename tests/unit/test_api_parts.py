"""Parts of the API that are plain functions: ingress sessions, issues as clients see them."""

from supervisor_k8s.model.ingress import LIFETIME, LONGEST, Session, renewed, url
from supervisor_k8s.model.issue import Cause, Context, Cure, Fault, Issue, Suggestion, changed, show_suggestion
from tests.builders import addon


def test_a_use_prolongs_a_session_that_is_not_over() -> None:
    """Each use adds 15 minutes, up to a day; at its end it is over."""
    session = Session(id="a", expires=1000)
    assert renewed(session, 999) == Session(id="a", expires=1000 + LIFETIME)
    assert renewed(Session(id="a", expires=1000 + 2 * LONGEST), 1000) == Session(
        id="a", expires=1000 + LONGEST + LIFETIME
    )
    assert renewed(session, 1000) is None


def test_ingress_url_has_one_slash() -> None:
    """Whether or not the manifest's entry begins with one."""
    for entry in ("start", "/start"):
        assert url(addon(ingress=True, ingress_entry=entry), "token") == "/api/hassio_ingress/token/start"
    assert url(addon(ingress=True), "token") == "/api/hassio_ingress/token/"


def test_suggestion_in_an_event_has_no_auto() -> None:
    """Core's event has the keys of REST but for this one."""
    fault = Fault(Cause.BOOT_FAIL, Context.ADDON, "core_mosquitto")
    suggestion = Suggestion(uuid="b" * 32, type=Cure.EXECUTE_START, fault=fault)
    event = changed(Issue(uuid="a" * 32, fault=fault), [suggestion])
    (shown,) = event["data"]["suggestions"]
    assert {**shown, "auto": False} == show_suggestion(suggestion)
    assert event["data"]["uuid"] == "a" * 32
