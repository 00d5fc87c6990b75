"""One version of aiohasupervisor as the tests use it: a process in its own environment, asked line by line."""

import asyncio
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

VERSIONS = ("0.3.3", "0.8.1", "0.11.0")
"""Of Home Assistant Core 2026.2.3, of 2026.11.0, and the newest."""
ROOT = Path(__file__).parents[3]
SPEAKER = Path(__file__).with_name("speaker.py")
WAIT = 90.0
"""Seconds that one call may take."""


class Process:
    """The speaking process. Its environment is made when it is not there yet."""

    def __init__(self, version: str) -> None:
        make = [ROOT / "tests" / "cluster" / "venv.sh", ROOT / "requirements" / f"clients-{version}.txt"]
        environment = subprocess.run(make, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        command = [f"{environment}/bin/python", "-I", str(SPEAKER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        about = self.ask({})
        self.version: str = about["version"]
        self.methods: list[str] = about["methods"]
        self.keys: dict[str, list[str]] = about["keys"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=WAIT)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The client raised. `classes` are its exception's class and all bases, by name."""

    def __init__(self, method: str, classes: list[str], message: str) -> None:
        super().__init__(f"{method}: {classes[0]}: {message}")
        self.classes = classes


class Client:
    """Calls by name."""

    def __init__(self, process: Process, url: str) -> None:
        self._process = process
        self._url = url

    def has(self, method: str) -> bool:
        """Whether this version knows the method."""
        return method in self._process.methods

    async def get(self, method: str, *arguments: Any, token: str, **keywords: Any) -> Any:
        """What the client returned, as JSON. Refused when it raised."""
        question = {"url": self._url, "token": token, "method": method, "arguments": arguments, "keywords": keywords}
        async with asyncio.timeout(WAIT):
            answer = await asyncio.to_thread(self._process.ask, question)
        if "error" in answer:
            raise Refused(method, answer["error"], answer["message"])
        return answer["result"]


def model(name: str, /, **fields: Any) -> dict[str, Any]:
    """An argument that is one of the client's models."""
    return {"model": name, "fields": fields}
