"""The definitions of the Gateway API, as its project publishes them: files of its Go module, kept in the cache."""

import shutil
from pathlib import Path

from . import binaries, versions
from .paths import Paths
from .steps import Context, Step

MODULE = "sigs.k8s.io/gateway-api"


def directory(paths: Paths) -> Path:
    """The folder with a file for each kind of the standard channel, whether or not it has been made."""
    return paths.cache / "go" / f"gateway-api-{versions.GATEWAY_API}"


def definitions(ctx: Context) -> Path:
    """This folder; its files are fetched when the cache does not have them."""
    return binaries.kept(ctx, directory(ctx.paths), f"Gateway API {versions.GATEWAY_API}", _fetch)


def _fetch(ctx: Context, step: Step, target: Path) -> None:
    found = binaries.sources(ctx, step, f"{MODULE}@v{versions.GATEWAY_API}", aside=target)
    for file in (found / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*.yaml"):
        shutil.copy(file, target)
    step.note("fetched")
