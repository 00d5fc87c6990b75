"""The definitions of the Gateway API, as its project publishes them: files of its Go module, kept in the cache."""

import json
import shutil
from functools import partial
from pathlib import Path

from . import binaries, versions
from .steps import Context, Step

MODULE = "sigs.k8s.io/gateway-api"


def definitions(ctx: Context) -> Path:
    """The folder with a file for each kind of the standard channel; fetched when the cache does not have it."""
    target = ctx.paths.cache / "go" / f"gateway-api-{versions.GATEWAY_API}"
    with ctx.step(f"Gateway API {versions.GATEWAY_API}", advice=binaries.ADVICE) as step:
        binaries.once(target, step, partial(_fetch, ctx, step))
    return target


def _fetch(ctx: Context, step: Step, target: Path) -> None:
    go, module = binaries.go(ctx.paths, step), f"{MODULE}@v{versions.GATEWAY_API}"
    found = Path(json.loads(step.run([go, "mod", "download", "-json", module], cwd=target))["Dir"])
    for file in (found / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*.yaml"):
        shutil.copy(file, target)
    step.note("fetched")
