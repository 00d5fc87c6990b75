"""What kustomize makes of an overlay as our users write them: the base, one component, a namespace of their own."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import binaries
from tests.cluster.paths import from_environment

MANIFESTS = Path(__file__).parents[2] / "manifests"


async def rendered(overlay: Path, component: str, *, namespace: str = "home-assistant") -> Mapping[str, Any]:
    """Objects by kind, the last of each; `overlay` is the folder that is made for it."""
    overlay.mkdir()
    base, named = (os.path.relpath(MANIFESTS / name, overlay.resolve()) for name in ("base", f"components/{component}"))
    (overlay / "kustomization.yaml").write_text(f"namespace: {namespace}\nresources: [{base}]\ncomponents: [{named}]\n")
    kubectl = binaries.program(from_environment(), "kubectl")
    process = await asyncio.create_subprocess_exec(kubectl, "kustomize", overlay, stdout=asyncio.subprocess.PIPE)
    text, _ = await process.communicate()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}
