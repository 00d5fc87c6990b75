"""The proxy for published ports with what is in its pod, our image with its start script and nginx, before a real
mosquitto; both in a network of their own.
"""

import asyncio
import json
import os
import shutil
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from supervisor_k8s.model.desired.l4_proxy import CONTAINER, DIRECTORY, Exposure, nginx_text
from tests.cluster import buildah, images
from tests.cluster.paths import from_environment
from tests.cluster.process import tied
from tests.cluster.steps import Console, Context
from tests.talk import talking

PATIENCE = 60.0
SESSIONS, CHANGES = 100, 50
MANY = 9_500
"""Where a process may have 20,000 files, two for each session; the proxy has room for more."""
BROKER = 18830
MQTT = Exposure(1883, "tcp", "127.0.0.1", BROKER)
NOBODY = "65534:65534"
# The container: files of the image, our folder where a ConfigMap would be, and /tmp of its own. The shell stays, as a
# program with another user would not be killed with the one that started it.
CONTAIN = """
set -e
root=$1 shown=$2 at=$3; shift 3
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mkdir -p "$root$at" && mount --bind "$shown" "$root$at"
chroot "$@"
exit
"""
# Clients of the broker. For each line, two ports: the first must answer, the second must not; then everybody is asked
# whether they are still there, and how many are is told.
CLIENTS = """
import os, resource, socket, sys, time
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
def session(port, number):
    body = b"\\0\\x04MQTT\\x04\\x02\\0\\0" + len(name := b"lan-%d" % number).to_bytes(2, "big") + name
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(bytes([0x10, len(body)]) + body)
    return client if client.recv(4) == bytes.fromhex("20020000") else None
def answers(port):
    try:
        return session(port, 1000 + port) is not None
    except OSError:
        return False
def alive(client):
    try:
        client.sendall(bytes([0xC0, 0]))
        return client.recv(2) == bytes.fromhex("d000")
    except OSError:
        return False
while not answers(1883):
    time.sleep(0.05)
clients = [session(1883, number) for number in range(int(sys.argv[1]))]
print(sum(map(alive, clients)), flush=True)
for line in sys.stdin:
    there, gone = map(int, line.split())
    while not answers(there) or answers(gone):
        time.sleep(0.02)
    print(sum(map(alive, clients)), flush=True)
"""

pytestmark = pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="runs builds of this machine, as root")


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Roots"]:
    """Images of the present sources, unpacked; hundreds of megabytes that nobody keeps."""
    folder, console = tmp_path_factory.mktemp("roots"), Console()
    yield Roots(folder, Context(from_environment(), console, log_directory=folder))
    console.close()
    shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Roots:
    """Where images are unpacked."""

    folder: Path
    context: Context

    async def of(self, name: str) -> Path:
        """All files of an image."""
        root = self.folder / uuid4().hex
        root.mkdir(mode=0o755)
        with self.context.step(f"build {name}") as step:
            archive = buildah.build(self.context.paths, step, images.recipe_of(self.context, name)).path
        with tarfile.open(archive) as outer:
            manifest = outer.extractfile("manifest.json")
            assert manifest is not None
            layers = json.load(manifest)[0]["Layers"]
        for layer in layers:
            unpack = f"tar --extract --to-stdout --file {archive} {layer} | tar --extract --directory {root}"
            process = await asyncio.create_subprocess_exec("/bin/sh", "-ec", unpack)
            assert await process.wait() == 0
        return root


@dataclass(slots=True)
class Volume:
    """A folder that changes as the kubelet changes one of a ConfigMap: all at once, by the link `..data`."""

    folder: Path
    written: int = field(default=0)

    def show(self, text: str) -> None:
        self.written += 1
        new = self.folder / f"..{self.written}"
        new.mkdir(mode=0o755)
        (new / "nginx.conf").write_text(text)
        link, file = self.folder / "..data_tmp", self.folder / "nginx.conf"
        link.symlink_to(new.name)
        link.rename(self.folder / "..data")
        if not file.is_symlink():
            file.symlink_to("..data/nginx.conf")


@asynccontextmanager
async def network() -> AsyncIterator[str]:
    """With nothing but an address of its own."""
    name = uuid4().hex[:8]
    await _ip("netns", "add", name)
    try:
        await _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        await _ip("netns", "delete", name)


@asynccontextmanager
async def container(inside: str, root: Path, shown: Path, at: str, *command: str) -> AsyncIterator[None]:
    """A program and all that it starts, with a folder shown at a place of the image."""
    apart = tied(
        ("/usr/bin/nsenter", f"--net=/run/netns/{inside}", "unshare", "--mount", "--pid", "--fork", "--kill-child")
    )
    process = await asyncio.create_subprocess_exec(
        *apart, "sh", "-c", CONTAIN, "sh", str(root), str(shown), at, *command
    )
    try:
        yield
        assert process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def broker_behind(roots: Roots, folder: Path) -> AsyncIterator[tuple[str, Volume]]:
    """The network where the proxy has published the broker, and the proxy's configuration."""
    volume = Volume(folder / "volume")
    volume.folder.mkdir(mode=0o755)
    volume.show(nginx_text([MQTT], {}))
    broker, proxy = await roots.of(images.MOSQUITTO), await roots.of(images.SUPERVISOR)
    relay = (f"--userspec={NOBODY}", str(proxy), "/usr/bin/relay", CONTAINER)
    async with AsyncExitStack() as stack:
        inside = await stack.enter_async_context(network())
        started = ("mosquitto", "-p", str(BROKER))
        await stack.enter_async_context(container(inside, broker, folder, "/mnt", str(broker), *started))
        await stack.enter_async_context(container(inside, proxy, volume.folder, DIRECTORY, *relay))
        yield inside, volume


@asynccontextmanager
async def clients(inside: str, count: int) -> AsyncIterator["Clients"]:
    """So many sessions with the broker, by its published port."""
    there = ("/usr/bin/nsenter", f"--net=/run/netns/{inside}")
    async with talking(*there, sys.executable, "-c", CLIENTS, str(count)) as process:
        yield Clients(process)


@dataclass(frozen=True, slots=True)
class Clients:
    process: asyncio.subprocess.Process

    async def alive(self, change: str = "") -> int:
        """How many sessions live, once a change is seen from outside."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if change:
            self.process.stdin.write(f"{change}\n".encode())
        async with asyncio.timeout(PATIENCE):
            return int(await self.process.stdout.readline())


@pytest.mark.timeout(600)
async def test_no_session_is_cut_while_other_ports_come_and_go(roots: Roots, tmp_path: Path) -> None:
    """A hundred sessions of MQTT live through fifty changes; each new port answers, and the one before is withdrawn."""
    async with broker_behind(roots, tmp_path) as (inside, volume), clients(inside, SESSIONS) as sessions:
        assert await sessions.alive() == SESSIONS
        for port in range(20000, 20000 + CHANGES):
            volume.show(nginx_text([MQTT, Exposure(port, "tcp", "127.0.0.1", BROKER)], {}))
            assert await sessions.alive(f"{port} {port - 1}") == SESSIONS


@pytest.mark.timeout(600)
async def test_there_is_room_for_thousands(roots: Roots, tmp_path: Path) -> None:
    """As many sessions as that live at once, and one more client is let in."""
    async with broker_behind(roots, tmp_path) as (inside, _), clients(inside, MANY) as sessions:
        assert await sessions.alive() == MANY
        async with clients(inside, 1) as one_more:
            assert await one_more.alive() == 1


async def _ip(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *arguments)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0, arguments
