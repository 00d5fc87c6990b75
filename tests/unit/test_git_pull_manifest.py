"""The Git pull add-on as a store shows it: its manifest, its documentation and its translation say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from supervisor_k8s.model.options import Secrets, parse, validate

FOLDER = Path(__file__).parents[2] / "addons" / "git_pull"
MANIFEST = yaml.safe_load((FOLDER / "config.yaml").read_text())


def words(element: Any) -> Iterator[str]:
    """All types of a schema."""
    if isinstance(element, str):
        yield element
    else:
        for inner in element.values() if isinstance(element, dict) else element:
            yield from words(inner)


def test_the_defaults_are_good() -> None:
    """With an address they pass the schema, whose words Home Assistant knows."""
    assert all(parse(word) is not None for word in words(MANIFEST["schema"]))
    chosen = {**MANIFEST["options"], "repository": "https://git.example/house.git"}
    assert validate(MANIFEST["schema"], chosen, secrets=Secrets(), app="k8s_git_pull") == chosen


def test_every_option_is_told() -> None:
    """In the documentation with its default, and in the translation."""
    translated = yaml.safe_load((FOLDER / "translations" / "en.yaml").read_text())["configuration"]
    assert set(translated) == set(MANIFEST["schema"])
    table = (FOLDER / "DOCS.md").read_text().partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([`a-z_., ]+) \| ([^|]*) \|", table, re.MULTILINE)
    told = {name for names, _ in rows for name in re.findall(r"`([a-z_]+)", names)}
    assert set(MANIFEST["options"]) - told == set()
    single = {names.strip("`"): default for names, default in rows if names.count("`") == 2}
    shown = {True: "`true`", False: "`false`", "": "empty", None: "required"}
    for name, default in single.items():
        if isinstance(value := MANIFEST["options"].get(name, []), str | bool | None):
            assert default == shown.get(value, f"`{value}`"), name
