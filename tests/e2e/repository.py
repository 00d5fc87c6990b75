"""Repositories of the cluster's git server, which everybody in the cluster can clone."""

import base64
import shlex
from collections.abc import Mapping

from .house import Kubectl

_IDENTITY = "-c user.name=tests -c user.email=tests@supervisor-k8s.example"


class Repository:
    """One with the branch `main`."""

    def __init__(self, name: str) -> None:
        self._bare, self._tree = f"/srv/git/{name}.git", f"/tmp/{name}"
        self._server = Kubectl("git-server")
        self.address = f"http://git-server.git-server.svc.cluster.local/{name}.git"

    async def make(self) -> None:
        """An empty one, whatever an earlier run left."""
        await self.remove()
        await self._run(
            f"git init -q --bare -b main {self._bare}; git clone -q {self._bare} {self._tree};"
            f"cd {self._tree}; git checkout -q -B main"
        )

    async def push(self, files: Mapping[str, str | bytes], branch: str = "main") -> None:
        """These, by path, on top of what was pushed last, as one commit, to this branch."""
        writes = "".join(_write(path, text.encode() if isinstance(text, str) else text) for path, text in files.items())
        await self._run(
            f"cd {self._tree}; {writes} git add .; git {_IDENTITY} commit -qm change; git push -q origin HEAD:{branch}"
        )

    async def add_zeros(self, path: str, size: int) -> None:
        """A file of so many bytes, for the next `push`; git sends it as a few."""
        name = shlex.quote(path)
        await self._run(f'cd {self._tree}; mkdir -p "$(dirname {name})"; head -c {size} /dev/zero > {name}')

    async def remove(self) -> None:
        await self._run(f"rm -rf {self._bare} {self._tree}")

    async def _run(self, script: str) -> None:
        """By a shell beside the server."""
        await self._server.run("exec", "deployment/git-server", "--", "sh", "-ec", script)


def _write(path: str, content: bytes) -> str:
    encoded, name = base64.b64encode(content).decode(), shlex.quote(path)
    return f'mkdir -p "$(dirname {name})"; printf %s {encoded} | base64 -d > {name}; '
