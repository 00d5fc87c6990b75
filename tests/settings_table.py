"""The README's table of settings, made from the settings themselves: `python -m tests.settings_table` writes it."""

import ast
import dataclasses
import inspect
import json
from pathlib import Path

from supervisor_k8s.settings import Settings, has_default

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"


def table() -> str:
    """Markdown: variable, default, meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    meanings = _docstrings()
    for item in dataclasses.fields(Settings):
        meaning = " ".join(meanings[item.name].split())
        rows.append(f"| `{item.metadata['variable']}` | {_default(item)} | {meaning} |")
    return "\n".join(rows) + "\n"


def in_readme() -> str:
    """What stands between the markers now."""
    return README.read_text().split(BEGIN)[1].split(END)[0]


def _docstrings() -> dict[str, str]:
    (definition,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = ast.literal_eval(text.value)
    return found


def _default(item: "dataclasses.Field[object]") -> str:
    if not has_default(item):
        return "required"
    if item.default in (None, frozenset(), ()):
        return "none"
    if item.default is dataclasses.MISSING:
        assert item.default_factory is not dataclasses.MISSING
        return f"`{json.dumps(item.default_factory())}`"
    if isinstance(item.default, bool):
        return f"`{str(item.default).lower()}`"
    return f"`{item.default}`"


if __name__ == "__main__":
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + table() + END + rest.split(END)[1])
