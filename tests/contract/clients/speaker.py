"""Speaks to a Supervisor with the aiohasupervisor of the environment that runs it. Knows nothing of this project.

One JSON object per line on standard input, one per line back:

    {}                                        -> {"version": "0.8.1", "methods": ["addons.list", …],
                                                  "keys": {error_key: [class, its bases, …]}}
    {"url", "token", "method", "arguments", "keywords"}
                                              -> {"result": …} or {"error": [class, its bases, …], "message": …}

An argument is JSON, or says with one key what to make of its value: `uuid` (hex digits), `bytes` and `stream` (a text),
`model` (a name in `aiohasupervisor.models`) with `fields` under their names on the wire.
"""

import asyncio
import dataclasses
import importlib.metadata
import inspect
import json
import operator
import sys
from collections.abc import AsyncIterator
from enum import Enum
from typing import Any
from uuid import UUID

from mashumaro.config import BaseConfig

BaseConfig.lazy_compilation = True  # models that are not used are not made ready: that would take a second

import aiohasupervisor  # noqa: E402 - as it is said above
import aiohttp  # noqa: E402
from aiohasupervisor import models  # noqa: E402
from aiohasupervisor.exceptions import ERROR_KEYS  # noqa: E402

CLIENT = aiohasupervisor.SupervisorClient


def methods() -> list[str]:
    """Every public method that asks the Supervisor something, as `component.method` or `method`."""
    parts = {
        name: inspect.get_annotations(operator.attrgetter("fget")(value), eval_str=True)["return"]
        for name, value in vars(CLIENT).items()
        if isinstance(value, property) and not name.startswith("_")
    }
    found = [name for name in _coroutines(CLIENT) if name != "close"]
    return found + [f"{part}.{name}" for part, cls in parts.items() for name in _coroutines(cls)]


def _coroutines(cls: type) -> list[str]:
    return [
        name for name, value in vars(cls).items() if inspect.iscoroutinefunction(value) and not name.startswith("_")
    ]


def _names(cls: type) -> list[str]:
    return [item.__name__ for item in cls.__mro__]


def argument(value: Any) -> Any:
    match value:
        case {"uuid": text}:
            return UUID(text)
        case {"bytes": text}:
            return text.encode()
        case {"stream": text}:
            return _stream(text)
        case {"model": name, "fields": fields}:
            cls = operator.attrgetter(name)(models)
            return cls.from_dict(fields) if hasattr(cls, "from_dict") else cls(**fields)
    return value


async def _stream(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def plain(value: Any) -> Any:
    """The value as JSON can hold it; a stream is read to its end."""
    if hasattr(value, "__aiter__"):
        return [item.decode() if isinstance(item, bytes) else item async for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: await plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): await plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [await plain(item) for item in value]
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, str | int | float) else str(value)


async def ask(session: aiohttp.ClientSession, line: dict[str, Any]) -> dict[str, Any]:
    if not line:
        keys = {key: _names(cls) for key, cls in ERROR_KEYS.items()}
        return {"version": importlib.metadata.version("aiohasupervisor"), "methods": methods(), "keys": keys}
    target: Any = CLIENT(line["url"], line["token"], session)
    for name in line["method"].split("."):
        target = getattr(target, name)
    try:
        return {"result": await plain(await target(*map(argument, line["arguments"]), **line["keywords"]))}
    except Exception as error:  # noqa: BLE001 - whatever a caller of the client would see is the answer
        return {"error": _names(type(error)), "message": str(error)}


async def main() -> None:
    async with aiohttp.ClientSession() as session:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await ask(session, json.loads(line))), flush=True)


asyncio.run(main())
