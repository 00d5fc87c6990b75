"""A real image registry on 127.0.0.1 that asks for a login.

The little of the distribution protocol that a container runtime needs to pull, and a builder to push. Runtimes speak
plain HTTP to this address alone, so it serves the nodes of this machine only; pods may be let in by another one. With
TLS it is known by one name to all.
"""

import base64
import hashlib
import io
import json
import secrets
import ssl
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.background import serving

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
CONFIGURATION = b".:53 {\n    log\n}\n"
"""What CoreDNS finds where it is started."""


class Registry:
    """Serves what was added or pushed to whoever has the login."""

    def __init__(
        self, *, login: tuple[str, str], address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        """`address` is where it listens; `0.0.0.0` lets pods in."""
        self.login = login
        self._tls = tls
        self.refused = 0
        """Requests without the login."""
        self._answers: dict[str, tuple[str, bytes]] = {"/v2/": ("application/json", b"{}")}
        self._uploads: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.host = f"{'127.0.0.1' if address == '0.0.0.0' else address}:{self.port}"

    def add(self, program: Path, *, name: str, tag: str, architecture: str) -> None:
        """An image of one program: CoreDNS, a static binary, and its configuration."""
        blobs = f"/v2/{name}/blobs"
        layer = self._blob(blobs, LAYER, _layer(program))
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": [f"/{program.name}"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        described = self._blob(blobs, CONFIG, json.dumps(config).encode())
        self._image(f"/v2/{name}/manifests/{tag}", MANIFEST, described, [layer])

    def load(self, archive: Path, *, name: str, tag: str) -> None:
        """The image of a docker-archive, in Docker's format: what was built stays as it was."""
        blobs = f"/v2/{name}/blobs"
        with tarfile.open(archive) as tar:
            (described,) = json.loads(_member(tar, "manifest.json"))
            config = self._blob(blobs, DOCKER_CONFIG, _member(tar, described["Config"]))
            layers = [self._blob(blobs, DOCKER_LAYER, _member(tar, layer)) for layer in described["Layers"]]
        self._image(f"/v2/{name}/manifests/{tag}", DOCKER_MANIFEST, config, layers)

    @contextmanager
    def running(self) -> Iterator["Registry"]:
        with serving(self._server, self._tls):
            yield self

    def _image(self, path: str, kind: str, config: dict[str, object], layers: list[dict[str, object]]) -> None:
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
        self._manifest(path, kind, json.dumps(manifest).encode())

    def _blob(self, place: str, kind: str, content: bytes) -> dict[str, object]:
        digest = _digest(content)
        self._answers[f"{place}/{digest}"] = kind, content
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _manifest(self, path: str, kind: str, content: bytes) -> str:
        digest = _digest(content)
        for place in (path, f"{path.rpartition('/')[0]}/{digest}"):
            self._answers[place] = kind, content
        return digest

    def _answer(self, method: str, path: str, kind: str, content: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        """Status, type, body and further headers."""
        if method in {"GET", "HEAD"}:
            kind, content = self._answers.get(path, ("", b""))
            headers = {"Docker_Content_Digest": _digest(content)} if "/manifests/" in path else {}
            return 200 if kind else 404, kind or "text/plain", content, headers
        if "/manifests/" in path:
            return 201, "text/plain", b"", {"Docker_Content_Digest": self._manifest(path, kind, content)}
        return self._upload(method, path, content)

    def _upload(self, method: str, path: str, content: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        """The next part of a blob, which is whole with a PUT."""
        place, _, query = path.partition("?")
        if method == "POST":
            place = f"{place.rstrip('/')}/{secrets.token_hex(8)}"
        whole = self._uploads.pop(place, b"") + content
        if method != "PUT":
            self._uploads[place] = whole
            return 202, "text/plain", b"", {"Location": place, "Range": f"0-{max(len(whole) - 1, 0)}"}
        digest = parse_qs(query)["digest"][0]
        assert digest == _digest(whole), f"{digest} is promised, {_digest(whole)} was sent"
        blob = f"{place.partition('/uploads/')[0]}/{digest}"
        self._answers[blob] = "application/octet-stream", whole
        return 201, "text/plain", b"", {"Location": blob, "Docker_Content_Digest": digest}

    def _allowed(self, header: str | None) -> bool:
        return header == f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own self is the other one
        class Handler(BaseHTTPRequestHandler):
            default_request_version = "HTTP/1.0"
            """A runtime tries TLS first, and falls back when the answer to that begins like one of HTTP."""

            def answer(self) -> None:
                content = _content(self.headers, self.rfile)
                if not outer._allowed(self.headers.get("Authorization")):
                    outer.refused += 1
                    self.reply(401, "text/plain", b"", WWW_Authenticate='Basic realm="registry"')
                    return
                kind = self.headers.get("Content-Type", "")
                status, kind, content, headers = outer._answer(self.command, self.path, kind, content)
                self.reply(status, kind, content, **headers)

            do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 - the names that Python calls

            def reply(self, status: int, kind: str, content: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content_Type": kind, "Content_Length": str(len(content)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing: what matters is what the cluster says."""

        return Handler


def _content(headers: Message, file: io.BufferedIOBase) -> bytes:
    """A request's body; builders send a blob in chunks."""
    if headers.get("Transfer-Encoding") != "chunked":
        return file.read(int(headers.get("Content-Length") or 0))
    found = bytearray()
    while size := int(file.readline().partition(b";")[0], 16):
        found += file.read(size)
        file.readline()
    file.readline()
    return bytes(found)


def _layer(program: Path) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(program, arcname=program.name)
        configuration = tarfile.TarInfo("Corefile")
        configuration.size = len(CONFIGURATION)
        tar.addfile(configuration, io.BytesIO(CONFIGURATION))
    return layer.getvalue()


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, f"{name} is no file of the archive"
    return file.read()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
