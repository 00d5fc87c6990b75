"""Golden files: what we render, as text for review. `UPDATE_GOLDEN=1 pytest …` writes them anew."""

import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from supervisor_k8s.model.intent import Manifest

ROOT = Path(__file__).parent / "unit" / "golden"


def check(name: str, text: str) -> None:
    """Assert that `golden/<name>` holds exactly `text`."""
    path = ROOT / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def manifests(objects: Iterable[Manifest]) -> str:
    """Manifests as one YAML stream, keys in the order we wrote them."""
    return yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors: every manifest is readable by itself."""

    def ignore_aliases(self, _data: object) -> bool:
        return True
