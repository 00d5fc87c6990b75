"""What an add-on becomes in the cluster, as files: a changed pod is a changed file, and a diff is the review.

`golden/<case>/config.yaml` is a manifest as a store has it, `launch.yaml` what a start decides, `expected.yaml` all
objects of that start. After a wanted change: `UPDATE_GOLDEN=1 pytest tests/unit/test_golden.py`, then read the diff.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_schema import normalise
from supervisor_k8s.model.desired.compose import desired_addon, directories
from supervisor_k8s.model.desired.docker_network import has_link, link_entries
from supervisor_k8s.model.desired.secrets import token_secret
from tests import builders

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/config.yaml"))


class _Plain(yaml.SafeDumper):
    """Writes shared parts out in full, as `kubectl get` would."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def render(case: str) -> str:
    config_yaml = yaml.safe_load((GOLDEN / case / "config.yaml").read_text(encoding="utf-8"))
    start = yaml.safe_load((GOLDEN / case / "launch.yaml").read_text(encoding="utf-8"))
    config = AddonConfig.from_normalised(normalise(config_yaml), repository=start["repository"])
    site = builders.site(**start.get("site", {}))
    objects = desired_addon(
        config,
        launch_id=builders.LAUNCH,
        version=config.version,
        image=f"{(config.image or '').replace('{arch}', site.arch)}:{config.version}",
        options=start.get("options", {}),
        ports={**config.ports, **start.get("network", {})},
        timezone="Europe/Amsterdam",
        site=site,
        protected=start.get("protected", True),
    )
    name, labels = naming.addon_name(config.slug), naming.addon_labels(config.slug)
    entries = link_entries(config, builders.LINK_KEYS) if has_link(config, site) else {}
    secret = token_secret(name, labels, builders.LAUNCH, builders.TOKEN, entries)
    made = "".join(f"# directory: {path}\n" for path in directories(config))
    return made + yaml.dump_all([secret, *objects], Dumper=_Plain, sort_keys=False, width=110)


@pytest.mark.parametrize("case", CASES)
def test_the_objects_of_a_start_are_these(case: str) -> None:
    """The objects of a start are, byte for byte, the reviewed ones."""
    rendered, expected = render(case), GOLDEN / case / "expected.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(rendered, encoding="utf-8")
    assert expected.read_text(encoding="utf-8") == rendered


def test_the_same_start_renders_the_same_bytes() -> None:
    """Rendering twice gives the same text: a repair of drift never restarts anything."""
    assert render("every-map") == render("every-map")
