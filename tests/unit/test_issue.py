"""Issues as clients see them: upstream's words only, and words for people where Core has none."""

from aiohasupervisor.models import ContextType, IssueType, SuggestionType

from supervisor_k8s.model.issue import COARSE, Cause, Context, Cure, Fault, Issue, cures, show_issue
from supervisor_k8s.model.notice import SHOWN_BY_CORE, WORDS, notification


def test_only_words_that_clients_know() -> None:
    """Each type, context and suggestion is one of upstream's."""
    assert {Fault(cause, Context.SYSTEM).type for cause in Cause} <= set(IssueType)
    assert {context.value for context in Context} == set(ContextType)
    assert {cure.value for cure in Cure} <= set(SuggestionType)


def test_a_finer_word_is_the_reason() -> None:
    """Beside further facts; what upstream has a word for needs none."""
    fault = Fault(Cause.NOT_MOUNTED, Context.ADDON, "core_mosquitto", (("message", "no such claim"),))
    shown = show_issue(Issue("a" * 32, fault))
    assert (shown["type"], shown["context"], shown["reference"]) == ("fatal_error", "addon", "core_mosquitto")
    assert shown["reference_extra"] == {"reason": "not_mounted", "message": "no such claim"}
    assert show_issue(Issue("a" * 32, Fault(Cause.FREE_SPACE, Context.SYSTEM)))["reference_extra"] is None


def test_everything_is_said_in_words() -> None:
    """What Core has no repair for has words here."""
    repairs = {kind for _, kind in SHOWN_BY_CORE}
    assert {cause.value for cause in Cause} - repairs == set(WORDS)
    assert not set(COARSE) & repairs


def test_words_name_the_workload() -> None:
    """Home Assistant, or the add-on."""
    told = {}
    for context, reference in ((Context.CORE, None), (Context.ADDON, "core_mosquitto")):
        fault = Fault(Cause.UNSCHEDULABLE, context, reference, (("message", "0/1 nodes {are} available"),))
        told[context] = notification(show_issue(Issue("a" * 32, fault)))["message"]
    assert told[Context.CORE] == "No node can take Home Assistant: 0/1 nodes {are} available"
    assert told[Context.ADDON] == "No node can take add-on core_mosquitto: 0/1 nodes {are} available"
    fault = Fault(Cause.OUT_OF_MEMORY, Context.ADDON, "core_mosquitto")
    assert notification(show_issue(Issue("a" * 32, fault)))["message"].startswith("Add-on core_mosquitto was ended")


def test_the_users_own_folder_is_neither_cloned_nor_removed() -> None:
    """A store that was added is."""
    assert cures(Fault(Cause.ADDON_MANIFEST_INVALID, Context.STORE, "local")) == ()
    assert cures(Fault(Cause.ADDON_MANIFEST_INVALID, Context.STORE, "5c53de3b")) == (
        Cure.EXECUTE_RESET,
        Cure.EXECUTE_REMOVE,
    )
