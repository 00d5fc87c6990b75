"""The definitions of the Gateway API, as its project publishes them: files of its Go module, kept in the cache."""

import shutil
from pathlib import Path

from . import binaries, versions
from .steps import Context, Step

MODULE = "sigs.k8s.io/gateway-api"


def definitions(ctx: Context) -> Path:
    """The folder with a file for each kind of the standard channel; fetched when the cache does not have it."""
    target = ctx.paths.cache / "go" / f"gateway-api-{versions.GATEWAY_API}"
    return binaries.kept(ctx, target, f"Gateway API {versions.GATEWAY_API}", _fetch)


def _fetch(ctx: Context, step: Step, target: Path) -> None:
    found = binaries.sources(ctx, step, f"{MODULE}@v{versions.GATEWAY_API}", aside=target)
    for file in (found / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*.yaml"):
        shutil.copy(file, target)
    step.note("fetched")
