"""A git server of a test's own, which it may hold and take away: a front of the cluster's, with its repositories."""

import base64
import json

from tests.cluster.certs import Pair

from .house import Kubectl, becomes

NAME, FOLDER = "e2e-git", "/tmp/front"
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": NAME},
    "spec": {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "front",
                "image": "localhost/git-server:1",
                "imagePullPolicy": "Never",
                "command": ["sleep", "infinity"],
            }
        ],
    },
}
_CONFIGURATION = """
user root;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    server {{
        {listen}
        location / {{
            proxy_pass http://git-server.git-server.svc.cluster.local;
            proxy_http_version 1.1;
        }}
    }}
}}
"""
_UNREAD = " 0[18] [0-9A-F]{8}:0*[1-9A-F]"
"""Of a connection in /proc/net/tcp: its other end has sent something that nobody has read."""


class GitServer:
    """Over HTTP; with a certificate over HTTPS, for those alone who know the password."""

    def __init__(self) -> None:
        self._pods = Kubectl("git-server")
        self._listen = "listen 80;"
        self._scheme = "http"
        self.host = ""
        """Its IP address."""

    async def make(self) -> None:
        """Nobody is let in before `start`."""
        await self.remove()
        await self._pods.run("apply", "-f", "-", stdin=json.dumps(_POD))
        await self._pods.run("wait", f"pod/{NAME}", "--for=condition=Ready", "--timeout=60s")
        self.host = (await self._pods.json("get", "pod", NAME))["status"]["podIP"]
        await self._run(f"mkdir {FOLDER}")

    async def certify(self, pair: Pair, user: str, password: str) -> None:
        """For its start."""
        await self._write("server.crt", pair.certificate.read_text())
        await self._write("server.key", pair.key.read_text())
        await self._write("users", f"{user}:{{PLAIN}}{password}\n")
        self._scheme = "https"
        self._listen = (
            f"listen 443 ssl; ssl_certificate {FOLDER}/server.crt; ssl_certificate_key {FOLDER}/server.key;"
            f"auth_basic git; auth_basic_user_file {FOLDER}/users;"
        )

    def address(self, repository: str) -> str:
        return f"{self._scheme}://{self.host}/{repository}.git"

    async def start(self) -> None:
        await self._write("nginx.conf", _CONFIGURATION.format(folder=FOLDER, listen=self._listen))
        await self._run(f"nginx -e stderr -c {FOLDER}/nginx.conf > {FOLDER}/log 2>&1 < /dev/null")

    async def hold(self) -> None:
        """From now on nobody gets an answer; one waits for his when this returns."""
        await self._signal("STOP")

        async def one() -> bool:
            return bool(await self._run(f"grep -E '{_UNREAD}' /proc/net/tcp /proc/net/tcp6 || true"))

        await becomes(one, what="a request that waits for its answer")

    async def go_on(self) -> None:
        await self._signal("CONT")

    async def stop(self) -> None:
        """At once: who waits for an answer gets none, and nobody else is let in."""
        await self._signal("KILL")

    async def remove(self) -> None:
        await self._pods.run("delete", "pod", NAME, "--ignore-not-found")

    async def _signal(self, name: str) -> None:
        """To its main process and those that answer, which are a group."""
        await self._run(f"kill -s {name} -- -$(cat {FOLDER}/pid)")

    async def _write(self, name: str, text: str) -> None:
        await self._run(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > {FOLDER}/{name}")

    async def _run(self, script: str) -> str:
        return await self._pods.run("exec", NAME, "--", "sh", "-ec", script)
