"""Stores as authors write them: how long it takes to read them for the first time, and again when nothing has changed.

Each manifest is a real one, in YAML, in a folder with the files that stand beside it.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from supervisor_k8s.store.catalogue import Catalogue, CatalogueReader, Source
from tests.bench.figure import Figure, progress, spread
from tests.real_addons import entries

EACH = 110
"""Add-ons in a store."""


async def reading(*, rounds: int) -> list[Figure]:
    """With three stores of real size, and with 3,000 add-ons."""
    return await asyncio.to_thread(lambda: [*_read(3 * EACH, rounds, (2.0, 0.3)), *_read(3000, max(1, rounds // 4))])


def _read(count: int, rounds: int, aims: tuple[float | None, float | None] = (None, None)) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        progress(f"store: {count} add-ons are written")
        sources = list(_written(Path(folder), count))
        cold, unchanged = [], []
        for number in range(rounds + 1):
            progress(f"store of {count}: {f'round {number} of {rounds}' if number else 'warm-up'}")
            reader = CatalogueReader()
            first, again = _timed(reader, sources, count), _timed(reader, sources, count)
            if number:
                cold.append(first)
                unchanged.append(again)
    yield spread(f"store with {count} add-ons: read for the first time", cold, unit="s", aim=aims[0])
    yield spread(f"store with {count} add-ons: unchanged", unchanged, unit="s", aim=aims[1])


def _timed(reader: CatalogueReader, sources: list[Source], count: int) -> float:
    began = time.perf_counter()
    found: Catalogue = reader.read(sources)
    took = time.perf_counter() - began
    assert len(found.addons) == count, found.faults
    return took


def _written(folder: Path, count: int) -> Iterator[Source]:
    models = [entry["config"] for entry in entries()]
    for number in range(count):
        store = folder / f"{number // EACH:08x}"
        place = store / f"addon{number % EACH}"
        (place / "translations").mkdir(parents=True)
        manifest = {**models[number % len(models)], "slug": f"addon{number % EACH}"}
        (place / "config.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
        for name in ("README.md", "DOCS.md", "CHANGELOG.md", "translations/en.yaml"):
            (place / name).write_text("# Text\n")
        if number % EACH == 0:
            (store / "repository.yaml").write_text("name: Store\n")
            yield Source(store.name, "https://git.example/store", store)
