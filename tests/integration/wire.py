"""A wire between us and the API server that a test can cut, silence and mend."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import yaml


class Wire:
    """Forwards connections on a port of 127.0.0.1 to the API server."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.passed = 0
        """Bytes, both ways."""

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def kubeconfig(self, original: Path, target: Path) -> Path:
        """The same access, through the wire."""
        config = yaml.safe_load(original.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
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
            # One that is still dialling the API server has a connection afterwards that nobody knows of yet.
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            stack.enter_context(self._known(writer))
            if self._cut:
                return
            back, out = await asyncio.open_connection("127.0.0.1", self._to)
            stack.enter_context(self._known(out))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, out))
                group.create_task(self._pump(back, writer))

    @contextlib.contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """A connection that a test can break; it ends with the block, however that ends."""
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
