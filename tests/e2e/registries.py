"""A registry beside the cluster, for as long as a test needs one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import imports, paths
from tests.cluster.steps import Console, Context
from tests.registry import Registry


@contextmanager
def open_for(made: Registry) -> Iterator[Registry]:
    """It serves inside of the block; what the node pulled from it goes afterwards."""
    with made.running():
        yield made
    where, console = paths.from_environment(), Console()
    with Context(where, console).step("its images go") as step:
        names = [name for name in imports.digests(where, step) if made.host in name]
        if names:
            imports.ctr(where, step, "image", "rm", *names)
    console.close()


@contextmanager
def trusted_by_the_node(host: str, authority: Path) -> Iterator[None]:
    """Inside of the block the node pulls from a registry whose certificate is of this authority."""
    folder = paths.from_environment().registries / host
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(f'server = "https://{host}"\nca = "{authority}"\n')
    try:
        yield
    finally:
        shutil.rmtree(folder)
