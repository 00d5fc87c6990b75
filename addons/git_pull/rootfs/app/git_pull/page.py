"""The page: what is live, what waits, what was, and two buttons. Pure.

One document without any other file, so it works in whatever frame and on whatever phone. All addresses are relative.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from git_pull.history import SHORT, Outcome, Run

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
pre { white-space: pre-wrap; border: 1px solid #8888; border-radius: .4rem; padding: .6rem; margin: .4rem 0; }
form { display: inline; } button { font: inherit; padding: .5rem .9rem; min-height: 2.75rem; margin: .25rem 0; }
li { list-style: none; border-top: 1px solid #8884; padding: .5rem 0; } ul { padding: 0; margin: 0; }
.good { color: #2a8a3e; } .bad { color: #d03a2f; } small { opacity: .75; }
"""
_SCRIPT = """
for (const one of document.querySelectorAll("time")) one.textContent = new Date(one.dateTime).toLocaleString();
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)}; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
"""Nothing but what is written here runs, whatever a commit or a checker's sentence has in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`busy`: a run is under way. `ours` proves that a button is one of this page's. `held` waits because the user
    went back to another commit.
    """

    repository: str
    branch: str
    live: str | None
    held: str | None
    busy: bool
    runs: Sequence[Run]
    ours: str


def commits(view: View) -> tuple[str, ...]:
    """What one can return to, the newest first: it was live once, and is not now. What waits by choice is the first."""
    lived = [run.before for run in view.runs] + [run.commit for run in view.runs if run.outcome is Outcome.LIVE]
    order = [view.held, *reversed([commit for run in view.runs for commit in (run.before, run.commit)])]
    known = {commit for commit in (*lived, view.held) if commit and commit != view.live}
    return tuple(dict.fromkeys(commit for commit in order if commit in known))


def render(view: View) -> str:
    """A whole document."""
    body = "\n".join(_body(view))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Git pull</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}<script>{_SCRIPT}</script></body></html>"
    )


def _body(view: View) -> Iterator[str]:
    last = view.runs[-1] if view.runs else None
    yield f"<h1>{escape(view.repository)} <small>{escape(view.branch or 'default branch')}</small></h1>"
    yield f'<p id="live">Live: {_commit(view.live)}</p>'
    yield f'<p id="waits">{_waits(view, last)}</p>'
    yield f"<p>{_button(view, 'check', 'Check now')} {'<b>A run is under way.</b>' if view.busy else ''}</p>"
    if last is not None:
        yield f'<h2>Last run</h2><p id="last">{_run(last)}</p>{_said(last)}'
    if found := commits(view):
        yield '<h2>Return to</h2><p id="back">'
        yield from (_button(view, "return", f"Return to {one[:SHORT]}", commit=one) for one in found[:5])
        yield "</p><p><small>What the repository has then waits until it has another commit.</small></p>"
    yield f'<h2>History</h2><ul id="runs">{_history(view.runs)}</ul>'


def _waits(view: View, last: Run | None) -> str:
    if view.held is not None:
        return f"{_commit(view.held)} waits, because you returned to another one."
    if last is not None and not last.good and last.commit not in {None, view.live}:
        return f"{_commit(last.commit)} waits: {escape(last.outcome)}."
    return "Nothing waits."


def _history(runs: Iterable[Run]) -> str:
    return "".join(f"<li>{_run(run)}{_said(run)}</li>" for run in reversed(tuple(runs))) or "<li>No run yet.</li>"


def _run(run: Run) -> str:
    color = "good" if run.good else "bad"
    way = "" if run.commit in {None, run.before} else f"{_commit(run.before)} → {_commit(run.commit)}"
    again = f", {run.times} times since {_time(run.at)}" if run.times > 1 else ""
    needs = f"<br>{escape(run.needs)}" if run.needs else ""
    return (
        f'<b class="{color}">{escape(run.outcome)}</b> {way} '
        f"<small>{_time(run.until)}{again}, by {escape(run.trigger)}, {run.seconds:.1f} s</small>{needs}"
    )


def _said(run: Run) -> str:
    return f"<pre>{escape(run.said)}</pre>" if run.said else ""


def _commit(commit: str | None) -> str:
    return f'<code title="{escape(commit)}">{escape(commit[:SHORT])}</code>' if commit else "nothing"


def _time(seconds: float) -> str:
    """Shown as the browser's time; without scripts as UTC."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _button(view: View, action: str, text: str, commit: str | None = None) -> str:
    fields = {"ours": view.ours} | ({"commit": commit} if commit else {})
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())
    return f'<form method="post" action="{action}">{hidden}<button>{escape(text)}</button></form>'
