"""MetalLB, which gives addresses to Services of type LoadBalancer, as its project publishes it: built from its Go
module with that module's own versions of everything, kept in the cache.

Newer ones than this need a module that the public proxies of Go do not have.
"""

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from . import binaries, versions
from .steps import Context, Step

MODULE = "go.universe.tf/metallb"
PROGRAMS = ("controller", "speaker")
DEFINITIONS = "definitions"
"""Folder with those of its kinds."""
_ARGUMENTS = ("-mod=readonly", "-trimpath", "-ldflags=-s -w -checklinkname=0")
"""Its speaker links to what Go has closed since."""


def made(ctx: Context) -> Path:
    """The folder with PROGRAMS and DEFINITIONS; built when the cache does not have it."""
    target = ctx.paths.cache / "go" / f"metallb-{versions.METALLB}"
    with ctx.step(f"Go: metallb {versions.METALLB}", advice=binaries.ADVICE) as step:
        binaries.once(target, step, partial(_make, ctx, step))
    return target


def _make(ctx: Context, step: Step, target: Path) -> None:
    go, module = binaries.go(ctx.paths, step), f"{MODULE}@v{versions.METALLB}"
    found = Path(json.loads(step.run([go, "mod", "download", "-json", module], cwd=target))["Dir"])
    shutil.copytree(found / "config" / "crd" / "bases", target / DEFINITIONS)
    with tempfile.TemporaryDirectory() as folder:
        # Aside: in the cache of modules nothing is the main one, whose `replace` lines count.
        source = Path(folder, "source")
        shutil.copytree(found, source)
        step.run(
            [go, "build", *_ARGUMENTS, "-o", f"{target}/", *(f"./{name}" for name in PROGRAMS)],
            cwd=source,
            env={"CGO_ENABLED": "0"},
        )
    step.note("built")
