"""MetalLB, which gives addresses to Services of type LoadBalancer, as its project publishes it: built from its Go
module with that module's own versions of everything, kept in the cache.

Newer ones than this need a module that the public proxies of Go do not have.
"""

import shutil
import tempfile
from pathlib import Path

from . import binaries, versions
from .paths import Paths
from .steps import Context, Step

MODULE = "go.universe.tf/metallb"
PROGRAMS = ("controller", "speaker")
DEFINITIONS = "definitions"
"""Folder with those of its kinds."""
_ARGUMENTS = ("-mod=readonly", "-trimpath", "-ldflags=-s -w -checklinkname=0")
"""Its speaker links to what Go has closed since."""


def directory(paths: Paths) -> Path:
    """The folder with PROGRAMS and DEFINITIONS, whether or not it has been made."""
    return paths.cache / "go" / f"metallb-{versions.METALLB}"


def ensure(ctx: Context) -> None:
    """Build it when the cache does not have it."""
    binaries.kept(ctx, directory(ctx.paths), f"Go: metallb {versions.METALLB}", _make)


def _make(ctx: Context, step: Step, target: Path) -> None:
    found = binaries.sources(ctx, step, f"{MODULE}@v{versions.METALLB}", aside=target)
    shutil.copytree(found / "config" / "crd" / "bases", target / DEFINITIONS)
    with tempfile.TemporaryDirectory() as folder:
        # Aside: in the cache of modules nothing is the main one, whose `replace` lines count.
        source = Path(folder, "source")
        shutil.copytree(found, source)
        step.run(
            [
                binaries.go(ctx.paths, step),
                "build",
                *_ARGUMENTS,
                "-o",
                f"{target}/",
                *(f"./{name}" for name in PROGRAMS),
            ],
            cwd=source,
            env={"CGO_ENABLED": "0"},
        )
    step.note("built")
