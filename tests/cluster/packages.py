"""What apt brings: the tools of the node and of the image builds, and etcd.

etcd is unpacked instead of installed: the package would start a server of its
own, and the integration tier shall run without root.
"""

import fcntl
import os
import shutil
import tempfile
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


def etcd(ctx: Context) -> None:
    """Unpack Debian's etcd into the cache."""
    with ctx.step("etcd", advice="check `apt-get download etcd-server`") as step:
        target = etcd_directory(ctx.paths)
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / "etcd.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target.exists():
                step.note("cached")
                return
            with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
                # apt's sandbox user may not write here; as root it would warn about that.
                step.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "etcd-server"], cwd=Path(temporary))
                (package,) = Path(temporary).glob("*.deb")
                step.run(["dpkg-deb", "-x", package, Path(temporary) / "root"])
                (Path(temporary) / "root").rename(target)
            step.note("unpacked")


def etcd_directory(paths: Paths) -> Path:
    """Where etcd's package is unpacked, by Debian release."""
    return paths.cache / f"etcd-{_release()}"


def etcd_program(paths: Paths) -> Path:
    """The etcd server."""
    return etcd_directory(paths) / "usr" / "bin" / "etcd"


def _installed(step: Step, name: str) -> bool:
    # dpkg-query fails for a name that it has never heard of: ask for all names by pattern.
    state = step.run(["sh", "-c", f"dpkg-query -W -f '${{db:Status-Status}}' {name} || true"])
    return state.strip() == "installed"


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{found.get('VERSION_CODENAME', 'debian')}-{os.uname().machine}"
