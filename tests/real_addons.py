"""The add-ons of public stores that we have, as values: 110 manifests as Home Assistant's own schema reads them."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from supervisor_k8s.model.addon import AddonConfig

_CORPUS = Path(__file__).parent / "corpus" / "addons.jsonl"


@cache
def entries() -> Sequence[Mapping[str, Any]]:
    """As they are recorded: `full_slug`, the manifest as `config`, what the real schema made of it as `normalised`."""
    return [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()[1:]]


@cache
def real_addons() -> Mapping[str, AddonConfig]:
    """By full slug."""
    return {
        entry["full_slug"]: AddonConfig.from_normalised(
            entry["normalised"], repository=entry["full_slug"].removesuffix("_" + entry["config"]["slug"])
        )
        for entry in entries()
    }
