"""A registry beside the cluster, for as long as a test needs one."""

from collections.abc import Iterator
from contextlib import contextmanager

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
