"""One buildah with a storage of its own: base images, builds and archives, each named by what went into it.

Nothing here knows which images the project has (that is `images.py`). An archive's file name carries the
hash of its inputs, so "is it built?" is one look at the disk and a second run builds nothing. The machine's
package client settings reach a build as read-only mounts: a layer that held them would follow the image
to every user.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import subprocess
import tarfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

CA_MOUNT = "/run/build-client/ca.pem"
"""Where a build finds the machine's certificate bundle: not in /etc/ssl, so that installing ca-certificates
in a build does not write into the mount."""

LOG_TAIL = 30


class BuildError(RuntimeError):
    """A build command failed; the message says which, and ends with the tail of its log."""


@dataclass(frozen=True)
class Archive:
    """A built image on disk: an OCI archive whose manifest digest containerd keeps on import."""

    name: str
    path: Path
    digest: str


@dataclass
class Buildah:
    """Runs buildah and mmdebstrap below one cache directory."""

    cache: Path
    say: Callable[[str], None] = print
    _client: list[str] | None = field(default=None, init=False)

    def base(self, name: str, suite: str) -> Archive:
        """A Debian base under its public name, so that Dockerfiles need no other default here than at a user's."""
        command = [
            "mmdebstrap",
            "--variant=minbase",
            # A mirror's copy of the testing suite may carry a release file past its date.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            '--customize-hook=rm "$1/etc/apt/apt.conf.d/99mmdebstrap"',
            suite,
        ]
        key = _digest([name, *command])
        archive = self._known(name, key)
        if archive is None:
            tar = self.cache / f"{key}.rootfs.tar"
            with _Timed(self.say, f"base {name}"):
                self._run(name, [*command, str(tar)])
                container = self._buildah(name, "from", "scratch")
                self._buildah(name, "add", "--quiet", container, str(tar), "/")
                self._buildah(name, "config", "--cmd", "bash", container)
                self._buildah(name, "commit", "--quiet", "--rm", container, name)
            tar.unlink()
            archive = self._archive(name, key)
        return archive

    def build(
        self,
        name: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        inputs: Iterable[Path] | None = None,
        bases: Sequence[Archive] = (),
        args: Mapping[str, str] | None = None,
    ) -> Archive:
        """The image of a Dockerfile; built only when one of its inputs is new.

        `inputs` are the files and folders of the context that count (default: the whole context).
        """
        dockerfile = dockerfile or context / "Dockerfile"
        args = args or {}
        parts = [name, *(f"{key}={value}" for key, value in sorted(args.items()))]
        parts += [base.digest for base in bases]
        parts += _fingerprints(context, [dockerfile, *(inputs if inputs is not None else [context])])
        key = _digest(parts)
        archive = self._known(name, key)
        if archive is None:
            for base in bases:
                self._load(base)
            with _Timed(self.say, f"image {name}"):
                self._build(name, context, dockerfile, args)
            archive = self._archive(name, key)
        return archive

    def _build(self, name: str, context: Path, dockerfile: Path, args: Mapping[str, str]) -> None:
        command = ["build", "--runtime", "runc", "--network", "host", "--pull-never", "--format", "oci"]
        command += ["--layers=false", "--file", str(dockerfile), "--tag", name]
        command += [f"--volume={mount}" for mount in self._client_mounts()]
        command += [f"--build-arg={key}={value}" for key, value in args.items()]
        self._run(name, self._command(*command, str(context)), show=re.compile(r"^(\[\d+/\d+\] )?STEP "))

    def _known(self, name: str, key: str) -> Archive | None:
        path = self._path(name, key)
        return Archive(name, path, _manifest_digest(path)) if path.exists() else None

    def _archive(self, name: str, key: str) -> Archive:
        """Write the archive beside its final name first: a half-written one must never look finished."""
        path = self._path(name, key)
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        # Layers stay uncompressed: packing and unpacking them costs more than the disk they save.
        self._buildah(name, "push", "--quiet", "--disable-compression", name, f"oci-archive:{partial}:{name}")
        partial.rename(path)
        for old in self.cache.glob(f"{_file_stem(name)}-*.tar"):
            if old != path:
                old.unlink()
        return Archive(name, path, _manifest_digest(path))

    def _load(self, archive: Archive) -> None:
        """Bring a base back from its archive when the storage lost it or holds an older one under that name."""
        found = subprocess.run(
            self._command("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", archive.name),
            capture_output=True,
            text=True,
            check=False,
        )
        if found.stdout.strip() != archive.digest:
            self._buildah(archive.name, "pull", "--quiet", f"oci-archive:{archive.path}")

    def _path(self, name: str, key: str) -> Path:
        return self.cache / f"{_file_stem(name)}-{key}.tar"

    def _command(self, *arguments: str) -> list[str]:
        storage = self.cache / "storage"
        return ["buildah", "--root", str(storage), "--runroot", str(self.cache / "run"), *arguments]

    def _buildah(self, name: str, *arguments: str) -> str:
        return self._run(name, self._command(*arguments))

    def _run(self, name: str, command: Sequence[str], show: re.Pattern[str] | None = None) -> str:
        """Run with the output in a log file; lines that match `show` are said; the last line is the answer."""
        log = self.cache / "logs" / f"{_file_stem(name)}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        tail: deque[str] = deque(maxlen=LOG_TAIL)
        environment = {**os.environ, "STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "oci"}
        with (
            log.open("a", encoding="utf-8") as sink,
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                sink.write(line)
                tail.append(line.rstrip())
                if show and show.match(line):
                    self.say(f"    {line.strip()[:100]}")
        if process.returncode:
            text = "\n".join(f"    {line}" for line in tail)
            raise BuildError(f"{name}: `{command[0]}` ended with {process.returncode}; {log} ends:\n{text}")
        return tail[-1] if tail else ""

    def _client_mounts(self) -> list[str]:
        """The machine's pip and apt settings and its certificates, as files to mount into build steps."""
        if self._client is None:
            folder = self.cache / "client"
            folder.mkdir(parents=True, exist_ok=True)
            bundle = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
            (folder / "pip.conf").write_text(_pip_settings(bundle), encoding="utf-8")
            (folder / "apt.conf").write_text(_apt_settings(bundle), encoding="utf-8")
            self._client = [
                f"{folder / 'pip.conf'}:/etc/pip.conf:ro",
                f"{folder / 'apt.conf'}:/etc/apt/apt.conf.d/99build-client:ro",
            ]
            if bundle.exists():
                self._client.append(f"{bundle}:{CA_MOUNT}:ro")
        return self._client


def _pip_settings(bundle: Path) -> str:
    """pip's configuration as this machine has it, files first and then its environment, as one file."""
    merged = configparser.RawConfigParser()
    merged.read(["/etc/pip.conf", Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"])
    if not merged.has_section("global"):
        merged.add_section("global")
    for key, value in os.environ.items():
        if key.startswith("PIP_") and not value.startswith("/"):
            merged.set("global", key.removeprefix("PIP_").lower().replace("_", "-"), value)
    if bundle.exists():
        merged.set("global", "cert", CA_MOUNT)
    lines = []
    for section in merged.sections():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in merged.items(section)]
    return "\n".join(lines) + "\n"


def _apt_settings(bundle: Path) -> str:
    """apt's proxies as this machine has them, the bundle, and leave to use a mirror that lags behind."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False)
    lines = [line for line in dump.stdout.splitlines() if re.match(r"Acquire::https?::proxy", line, re.IGNORECASE)]
    lines.append('Acquire::Check-Valid-Until "false";')
    lines.append('Acquire::Retries "3";')
    if bundle.exists():
        lines.append(f'Acquire::https::CaInfo "{CA_MOUNT}";')
    return "\n".join(lines) + "\n"


def _fingerprints(context: Path, paths: Iterable[Path]) -> list[str]:
    """One line per file: place, executable bit, content. Order and time stamps do not count."""
    files: set[Path] = set()
    for path in paths:
        files.update(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else files.add(path)
    lines = []
    for file in sorted(files):
        if "__pycache__" in file.parts:
            continue
        mode = "x" if file.stat().st_mode & 0o100 else "-"
        lines.append(f"{os.path.relpath(file, context)} {mode} {hashlib.sha256(file.read_bytes()).hexdigest()}")
    return lines


def _manifest_digest(archive: Path) -> str:
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        if index is None:
            raise BuildError(f"{archive} is no OCI archive: remove it and try again")
        digest: str = json.load(index)["manifests"][0]["digest"]
        return digest


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _file_stem(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)


class _Timed:
    """Says when something starts and how long it took."""

    def __init__(self, say: Callable[[str], None], what: str) -> None:
        self.say = say
        self.what = what
        self.start = time.monotonic()

    def __enter__(self) -> None:
        self.say(f"  {self.what}: building")

    def __exit__(self, *_: object) -> None:
        self.say(f"  {self.what}: {time.monotonic() - self.start:.0f} s")
