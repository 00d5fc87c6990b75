"""Traefik, a controller and data plane of the Gateway API, as its project publishes it: built from its Go module with
that module's own versions of everything, kept in the cache.

But for two things. A fork that no public proxy of Go has is replaced by a module that lets nobody in; no test asks for
it. And it has no clients of DNS providers, which only certificates need that it would order itself: they are more than
half of the work.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from . import binaries, versions
from .paths import Paths
from .steps import Context, Step

MODULE = "github.com/traefik/traefik/v3"
PROGRAM = "traefik"
RIGHTS = "rights.yaml"
"""What its project documents: a ClusterRole, and its binding to an account."""
_RIGHTS = Path("docs", "content", "reference", "dynamic-configuration", "kubernetes-gateway-rbac.yml")
_OURS = binaries.SOURCES / "traefik"
_FORK, _LEGO = "github.com/abbot/go-http-auth", "github.com/go-acme/lego/v4"


def directory(paths: Paths) -> Path:
    """The folder with PROGRAM and RIGHTS, whether or not it has been made."""
    inputs = hashlib.sha256()
    for source in sorted(path for path in _OURS.rglob("*") if path.is_file()):
        inputs.update(source.read_bytes())
    return paths.cache / "go" / f"traefik-{versions.TRAEFIK}-{inputs.hexdigest()[:12]}"


def ensure(ctx: Context) -> None:
    """Build it when the cache does not have it."""
    binaries.kept(ctx, directory(ctx.paths), f"Go: traefik {versions.TRAEFIK}", _make)


def _make(ctx: Context, step: Step, target: Path) -> None:
    found = binaries.sources(ctx, step, f"{MODULE}@v{versions.TRAEFIK}", aside=target)
    shutil.copyfile(found / _RIGHTS, target / RIGHTS)
    go = binaries.go(ctx.paths, step)
    with tempfile.TemporaryDirectory() as folder:
        # Aside: in the cache of modules nothing is the main one, whose `replace` lines count.
        source, lego = Path(folder, "source"), Path(folder, "lego")
        shutil.copytree(found, source)
        needed = json.loads(step.run([go, "mod", "edit", "-json"], cwd=source))["Require"]
        (version,) = (module["Version"] for module in needed if module["Path"] == _LEGO)
        shutil.copytree(binaries.sources(ctx, step, f"{_LEGO}@{version}", aside=target), lego)
        shutil.copyfile(_OURS / "lego-dns" / "providers.go", lego / "providers" / "dns" / "zz_gen_dns_providers.go")
        step.run([go, "mod", "edit", f"-replace={_FORK}={_OURS / 'http-auth'}", f"-replace={_LEGO}={lego}"], cwd=source)
        step.run(
            [go, "build", "-mod=readonly", *binaries.SMALL, "-o", target / PROGRAM, "./cmd/traefik"],
            cwd=source,
            env={"CGO_ENABLED": "0"},
        )
    step.note("built")
