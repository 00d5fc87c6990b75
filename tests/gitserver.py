"""A real git server on 127.0.0.1: git's own http-backend behind Python's HTTP server, and repositories to serve.

Contents of LFS it has, too, as git-lfs' specification of its API has them ("Batch API", "Basic transfers").
"""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.background import serving

ENVIRONMENT = {
    **{key: os.environ[key] for key in ("PATH",)},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


_CONTENT = "content-of-lfs"

type Files = dict[str, str | bytes | None]
"""Contents by path; None: the file is deleted."""


def git(path: Path, *arguments: str, text: str | None = None) -> str:
    """`text` is for its standard input."""
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=path, env=ENVIRONMENT, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Repository:
    """A repository that the server serves, written by its author."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        git(path, "init", "--quiet")
        git(path, "config", "http.receivepack", "true")

    def commit(self, files: Files, *, force: bool = False) -> str:
        """Write (or delete) files and commit; with `force` the history is replaced, as by a forced push."""
        for name, content in files.items():
            target = self.path / name
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        git(self.path, "add", "--all")
        if force:
            git(self.path, "checkout", "--quiet", "--orphan", "other")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", "change")
        if force:
            git(self.path, "branch", "--move", "--force", "main")
        return git(self.path, "rev-parse", "HEAD")


class GitServer:
    """Serves every repository below `root` at `url/<name>`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self.login: tuple[str, str] | None = None
        """User and password that are asked for; None lets everybody in."""
        self.hold = threading.Event()
        """Cleared, the server accepts requests and does not answer."""
        self.hold.set()
        self.contents: dict[str, bytes] = {}
        """What LFS has, by SHA-256."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def keep(self, content: bytes) -> str:
        """In LFS; the pointer to it."""
        oid = hashlib.sha256(content).hexdigest()
        self.contents[oid] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"

    def repository(self, name: str) -> Repository:
        return Repository(self.root / name)

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator["GitServer"]:
        """With TLS its addresses begin with `https`, whatever `url` says."""
        with serving(self._server, tls):
            try:
                yield self
            finally:
                self.hold.set()

    def allowed(self, header: str | None) -> bool:
        return self.login is None or header == self.header

    @property
    def header(self) -> str:
        """What whoever is let in shows."""
        return f"Basic {base64.b64encode(':'.join(self.login or ()).encode()).decode()}"

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own self is the other one
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                outer.requests.append(self.path)
                outer.hold.wait()
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not outer.allowed(self.headers.get("Authorization")):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.pass_on(outer.backend(self, body))

            do_GET = do_POST = answer  # noqa: N815 - the names that Python calls

            def pass_on(self, output: bytes) -> None:
                head, _, content = output.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing: `requests` has it."""

        return Handler

    def _offered(self, body: bytes) -> bytes:
        """The answer to a batch request."""
        let_in = {"header": {"Authorization": self.header}} if self.login else {}
        objects = [
            {**one, "actions": {"download": {"href": f"{self.url}/{_CONTENT}/{one['oid']}", **let_in}}}
            if one["oid"] in self.contents
            else {**one, "error": {"code": 404, "message": "is not there"}}
            for one in json.loads(body)["objects"]
        ]
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        return b"Content-Type: application/vnd.git-lfs+json\r\n\r\n" + answer

    def backend(self, request: BaseHTTPRequestHandler, body: bytes) -> bytes:
        path, _, query = request.path.partition("?")
        if path.endswith("/info/lfs/objects/batch"):
            return self._offered(body)
        if path.startswith(f"/{_CONTENT}/"):
            return b"Content-Type: application/octet-stream\r\n\r\n" + self.contents[path.rpartition("/")[2]]
        environment = {
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        return done.stdout
