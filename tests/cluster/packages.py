"""What apt brings: the tools of the node and of the image builds, and the servers that tests start themselves.

These are unpacked instead of installed: each package would start a server of
its own, and the integration tier shall run without root. What they link
against comes with NEEDED and with every Debian.
"""

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .paths import Paths
from .steps import Context, Failed, Step

NEEDED = (
    "buildah",
    "busybox-static",
    "ca-certificates",
    "conntrack",
    "containernetworking-plugins",
    "curl",
    "gcc",
    "git",
    "inotify-tools",
    "iproute2",
    "iptables",
    "libc6-dev",
    "libseccomp-dev",
    "mmdebstrap",
    "nftables",
    "openssl",
    "pkg-config",
    "runc",
)
"""runc is here for buildah, the cluster has its own, newer one; gcc, git and inotify-tools are for the tests too."""

FOR_TESTS = ("chromium", "git-lfs", "gnupg", "openssh-client")

QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install(ctx: Context, *, for_tests: bool = False) -> None:
    """Install the Debian packages that are missing; `for_tests`: those that only tests need, too."""
    with ctx.step("Debian packages", advice="check `apt-get update` and the machine's sources of packages") as step:
        if shutil.which("dpkg-query") is None:
            raise Failed("this is not Debian: there is no dpkg-query")
        missing = [name for name in (*NEEDED, *(FOR_TESTS if for_tests else ())) if not _installed(step, name)]
        if not missing:
            step.note("installed")
            return
        if os.geteuid() != 0:
            raise Failed(f"only root can install what is missing: apt-get install {' '.join(missing)}")
        step.run(["apt-get", "update", "-q"], env=QUIET)
        # On a node of somebody's a package of ours may want to take the place of one that all runs by.
        step.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "--no-remove", *missing], env=QUIET)
        step.note(f"installed {len(missing)}")


@dataclass(frozen=True, slots=True)
class Server:
    """One that is unpacked into the cache. `program` is its path in the package."""

    name: str
    package: str
    program: str

    def directory(self, paths: Paths) -> Path:
        """Where the package is unpacked, by Debian release."""
        return paths.cache / f"{self.name}-{_release()}"


_ETCD = Server("etcd", "etcd-server", "usr/bin/etcd")
_NGINX = Server("nginx", "nginx", "usr/sbin/nginx")


def servers(ctx: Context) -> None:
    """Unpack Debian's etcd and nginx into the cache."""
    for server in (_ETCD, _NGINX):
        _unpack(ctx, server)


def etcd_program(paths: Paths) -> Path:
    """The etcd server."""
    return _ETCD.directory(paths) / _ETCD.program


def nginx_program(paths: Paths) -> Path:
    """The nginx that stands where the one in our image does."""
    return _NGINX.directory(paths) / _NGINX.program


def _unpack(ctx: Context, server: Server) -> None:
    with ctx.step(server.name, advice=f"check `apt-get download {server.package}`") as step:
        target = server.directory(ctx.paths)
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{server.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target.exists():
                step.note("cached")
                return
            with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
                # apt's sandbox user may not write here; as root it would warn about that.
                step.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", server.package], cwd=Path(temporary))
                (package,) = Path(temporary).glob("*.deb")
                step.run(["dpkg-deb", "-x", package, Path(temporary) / "root"])
                (Path(temporary) / "root").rename(target)
            step.note("unpacked")


def _installed(step: Step, name: str) -> bool:
    # dpkg-query fails for a name that it has never heard of: ask for all names by pattern.
    state = step.run(["sh", "-c", f"dpkg-query -W -f '${{db:Status-Status}}' {name} || true"])
    return state.strip() == "installed"


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{found.get('VERSION_CODENAME', 'debian')}-{os.uname().machine}"
