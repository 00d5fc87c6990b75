"""A wire between us and the API server that a test can cut, silence and mend."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import yaml


class Wire:
    """Forwards connections on a port of 127.0.0.1 to the API server."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def kubeconfig(self, original: Path, target: Path) -> Path:
        """The same access, through the wire."""
        assert self._server is not None
        config = yaml.safe_load(original.read_text())
        port = self._server.sockets[0].getsockname()[1]
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        target.write_text(yaml.safe_dump(config))
        return target

    def break_once(self) -> None:
        """All connections end now; new ones work."""
        for writer in self._writers:
            writer.transport.abort()

    def cut(self) -> None:
        """All connections end, and new ones are closed at once."""
        self._cut = True
        self.break_once()

    def silence(self) -> None:
        """Nothing passes any more, in open connections and in new ones, and nobody is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """New connections work again."""
        self._cut = False
        self._flowing.set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Wire"]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self.mend()
            self._server.close()
            self.break_once()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.add(there[1])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there[1]))
                group.create_task(self._pump(there[0], writer))
            self._writers.discard(there[1])
        self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
