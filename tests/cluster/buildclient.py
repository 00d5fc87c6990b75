"""The machine's settings of package clients, as files that a build step has mounted while it runs.

A machine may reach its package indexes only through a proxy, a mirror or a certificate of its own. Builds
need that, images must not keep it: so each setting becomes a read-only mount.
"""

import configparser
import os
import re
import subprocess
from pathlib import Path

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
MOUNTED_BUNDLE = "/run/build-client/ca.pem"
"""Not in /etc/ssl: installing ca-certificates in a build would write into the mount."""


def mounts(folder: Path) -> list[str]:
    """Write pip's and apt's settings to `folder`, and say how to mount them, in buildah's words."""
    bundle = Path(os.environ.get("SSL_CERT_FILE", BUNDLE))
    has_bundle = bundle.exists()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pip.conf").write_text(_pip(has_bundle=has_bundle))
    (folder / "apt.conf").write_text(_apt(has_bundle=has_bundle))
    result = [
        f"{folder / 'pip.conf'}:/etc/pip.conf:ro",
        f"{folder / 'apt.conf'}:/etc/apt/apt.conf.d/99build-client:ro",
    ]
    return [*result, f"{bundle}:{MOUNTED_BUNDLE}:ro"] if has_bundle else result


def _pip(*, has_bundle: bool) -> str:
    """Configuration of pip, files first and then the environment as pip orders them, as one file."""
    merged = configparser.RawConfigParser()
    merged.read(["/etc/pip.conf", Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"])
    if not merged.has_section("global"):
        merged.add_section("global")
    for name, value in os.environ.items():
        # Paths of this machine mean nothing in a build.
        if name.startswith("PIP_") and not value.startswith("/"):
            merged.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    if has_bundle:
        merged.set("global", "cert", MOUNTED_BUNDLE)
    lines = []
    for section in merged.sections():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in merged.items(section)]
    return "\n".join(lines) + "\n"


def _apt(*, has_bundle: bool) -> str:
    """Proxies of apt and the bundle, and leave to use a mirror that lags behind."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False).stdout
    lines = [line for line in dump.splitlines() if re.match(r"Acquire::https?::proxy", line, re.IGNORECASE)]
    lines += ['Acquire::Check-Valid-Until "false";', 'Acquire::Retries "3";']
    if has_bundle:
        lines.append(f'Acquire::https::CaInfo "{MOUNTED_BUNDLE}";')
    return "\n".join(lines) + "\n"
