"""A real image registry on 127.0.0.1 that asks for a login, with one image of one program.

The little of the distribution protocol that a container runtime needs to pull. Runtimes speak plain HTTP to this
address alone, so it serves the nodes of this machine only.
"""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.background import serving

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIGURATION = b".:53 {\n    log\n}\n"
"""What CoreDNS finds where it is started."""


class Registry:
    """Serves `name:tag` to whoever has the login."""

    def __init__(self, program: Path, *, name: str, tag: str, architecture: str, login: tuple[str, str]) -> None:
        """`program` is CoreDNS, a static binary; the image is it and its configuration."""
        self.login = login
        self.refused = 0
        """Requests without the login."""
        self._answers: dict[str, tuple[str, bytes]] = {"/v2/": ("application/json", b"{}")}
        blobs = f"/v2/{name}/blobs"
        layer = self._blob(blobs, LAYER, _layer(program))
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": [f"/{program.name}"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(blobs, CONFIG, json.dumps(config).encode()),
            "layers": [layer],
        }
        content = json.dumps(manifest).encode()
        for reference in (tag, _digest(content)):
            self._answers[f"/v2/{name}/manifests/{reference}"] = MANIFEST, content
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.image = f"{self.host}/{name}"

    @contextmanager
    def running(self) -> Iterator["Registry"]:
        with serving(self._server):
            yield self

    def _blob(self, place: str, kind: str, content: bytes) -> dict[str, object]:
        digest = _digest(content)
        self._answers[f"{place}/{digest}"] = kind, content
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _allowed(self, header: str | None) -> bool:
        return header == f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own self is the other one
        class Handler(BaseHTTPRequestHandler):
            default_request_version = "HTTP/1.0"
            """A runtime tries TLS first, and falls back when the answer to that begins like one of HTTP."""

            def answer(self) -> None:
                if not outer._allowed(self.headers.get("Authorization")):
                    outer.refused += 1
                    self.reply(401, "text/plain", b"", WWW_Authenticate='Basic realm="registry"')
                    return
                kind, content = outer._answers.get(self.path, ("", b""))
                headers = {"Docker_Content_Digest": _digest(content)} if "/manifests/" in self.path else {}
                self.reply(200 if kind else 404, kind or "text/plain", content, **headers)

            do_GET = do_HEAD = answer  # noqa: N815 - the names that Python calls

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


def _layer(program: Path) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(program, arcname=program.name)
        configuration = tarfile.TarInfo("Corefile")
        configuration.size = len(CONFIGURATION)
        tar.addfile(configuration, io.BytesIO(CONFIGURATION))
    return layer.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
