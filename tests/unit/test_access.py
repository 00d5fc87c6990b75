"""Who may call which path, against the answers of Home Assistant's own Supervisor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor_k8s.model.access import CLI, CORE, Caller, CallerKind, Decision, Role, decide

CORPUS = Path(__file__).parents[1] / "corpus"

CALLERS: dict[str, Caller | None] = {
    "none": None,
    "unknown": None,
    "core": CORE,
    "cli": CLI,
    "observer": Caller(kind=CallerKind.OBSERVER, name="observer"),
    "no_api": Caller.addon("core_mosquitto", {"name": "Mosquitto", "hassio_role": "admin"}),
    **{role.value: Caller.addon("x_y", {"hassio_api": True, "hassio_role": role.value}) for role in Role},
}


def answers() -> Iterator[tuple[str, str, int]]:
    lines = [line for line in (CORPUS / "access.tsv").read_text().splitlines() if not line.startswith("#")]
    callers = lines[0].split("\t")[1:]
    for line in lines[1:]:
        path, *codes = line.split("\t")
        yield from ((path, caller, int(code)) for caller, code in zip(callers, codes, strict=True))


def test_every_path_and_caller_is_answered_as_upstream_does() -> None:
    """All routes of the contract and the tricky paths beside them, for every kind of caller and role."""
    wrong = [
        (path, caller, code)
        for path, caller, code in answers()
        if decide(path, CALLERS[caller], token=caller != "none").value != code
    ]
    assert wrong == []


def test_the_corpus_covers_every_route_and_every_role() -> None:
    """A route added to the contract must get its row."""
    paths = {path for path, _, _ in answers()}
    callers = {caller for _, caller, _ in answers()}
    routes = [line.split("\t")[0] for line in (CORPUS / "routes.tsv").read_text().splitlines() if line[:1] == "/"]
    assert callers == set(CALLERS)
    assert [route for route in routes if "{" not in route and route not in paths] == []
    assert len(paths) >= len(set(routes))


@pytest.mark.parametrize("path", ["/info\n", "/supervisor/ping\n", "/x\n/info", "/core/api/hassio/a\nb"])
def test_a_line_break_opens_nothing(path: str) -> None:
    """A decoded path may hold anything; it must not end a pattern early."""
    assert decide(path, None, token=True) is Decision.FORBIDDEN


def test_an_addon_may_read_itself_without_hassio_api() -> None:
    """What bashio asks first works for every add-on, its logs by role only."""
    addon = CALLERS["no_api"]
    assert decide("/addons/self/info", addon, token=True) is Decision.ALLOWED
    assert decide("/addons/self/logs/follow", addon, token=True) is Decision.FORBIDDEN
    assert decide("/core/info", addon, token=True) is Decision.FORBIDDEN
