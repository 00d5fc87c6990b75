"""cluster/cache.py: never back to an older state, no polling, and no answer before the first list."""

import asyncio
from typing import Any

import pytest

from supervisor_k8s.cluster.cache import Cache
from supervisor_k8s.cluster.kinds import CACHED, KINDS
from supervisor_k8s.errors import ClusterUnavailableError, TookTooLongError

POD = KINDS["Pod"]


def pod(name: str, version: int, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": str(version), "labels": labels, "uid": name}
    return {"kind": "Pod", "metadata": metadata}


def listed(*pods: dict[str, Any], version: int = 10) -> Cache:
    cache = Cache()
    for kind in CACHED:
        cache.replace(kind, pods if kind is POD else (), str(version))
    return cache


def names(cache: Cache, **labels: str) -> list[str]:
    return [live["metadata"]["name"] for live in cache.select("Pod", labels)]


async def test_before_the_first_list() -> None:
    """Before the first list the cache does not pretend to be empty."""
    cache = Cache()
    with pytest.raises(ClusterUnavailableError, match="Pod"):
        cache.get("Pod", "a")
    with pytest.raises(ClusterUnavailableError):
        cache.select("Pod", {})
    with pytest.raises(ClusterUnavailableError, match="Deployment"):
        await cache.listed(within=0.01)


async def test_until_waits_for_the_first_list() -> None:
    """A wait that begins before the first list goes on after it."""
    cache = Cache()
    waiting = asyncio.create_task(cache.until(lambda: cache.get("Pod", "a"), within=5))
    await asyncio.sleep(0)
    for kind in CACHED:
        cache.replace(kind, [pod("a", 3)] if kind is POD else (), "10")
    assert (await waiting)["metadata"]["name"] == "a"


async def test_until() -> None:
    """A wait ends with what the condition gives, after as many changes as it takes."""
    cache = listed()
    waiting = asyncio.create_task(cache.until(lambda: len(names(cache)) == 2 or None, within=5))
    for number, name in enumerate("ab"):
        await asyncio.sleep(0)
        assert not waiting.done()
        cache.observe(POD, "ADDED", pod(name, 11 + number))
    assert await waiting is True


async def test_until_too_long() -> None:
    """A wait has an end, also when other things keep changing."""
    with pytest.raises(TookTooLongError):
        await listed().until(lambda: None, within=0.01)


async def test_until_condition_raises() -> None:
    """What the condition raises reaches whoever waits, a TimeoutError of its own included."""

    def condition() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await listed().until(condition, within=5)


async def test_never_back() -> None:
    """An older event or answer does not undo a newer one."""
    cache = listed()
    cache.merge(POD, pod("a", 15, state="new"))
    cache.observe(POD, "MODIFIED", pod("a", 12, state="old"))
    assert names(cache, state="new") == ["a"]
    assert names(cache, state="old") == []


async def test_answer_comes_after_the_end() -> None:
    """An answer to an apply that arrives after the watch told of the object's end does not bring it back."""
    cache = listed()
    cache.observe(POD, "ADDED", pod("a", 11))
    cache.observe(POD, "DELETED", pod("a", 12))
    cache.merge(POD, pod("a", 11))
    assert names(cache) == []


async def test_end_of_the_former() -> None:
    """The end of a former object of the same name does not remove the one that we have made since."""
    cache = listed(pod("a", 5))
    cache.merge(POD, pod("a", 15))
    cache.observe(POD, "DELETED", pod("a", 12))
    assert names(cache) == ["a"]


async def test_new_list() -> None:
    """A new list drops what is gone and tells listeners so; what we have made after it stays."""
    cache = listed(pod("gone", 5), pod("stays", 6))
    cache.merge(POD, pod("ours", 30))
    told: list[tuple[str, bool, bool]] = []
    cache.subscribe(lambda kind, old, new: told.append((kind, old is None, new is None)))
    cache.replace(POD, [pod("stays", 6), pod("new", 18)], "20")
    assert names(cache) == ["new", "ours", "stays"]
    assert told == [("Pod", False, True), ("Pod", True, False)]


async def test_listeners_in_order() -> None:
    """Listeners hear old and new in the order of the changes."""
    cache = listed()
    told: list[Any] = []
    cache.subscribe(
        lambda _, old, new: told.append([live and live["metadata"]["resourceVersion"] for live in (old, new)])
    )
    cache.observe(POD, "ADDED", pod("a", 11))
    cache.observe(POD, "MODIFIED", pod("a", 12))
    cache.observe(POD, "DELETED", pod("a", 13))
    assert told == [[None, "11"], ["11", "12"], ["12", None]]


async def test_select_follows_labels() -> None:
    """An object is found by the labels it has now."""
    label = "io.hass.addon"
    cache = listed(pod("a", 5, **{label: "x"}), pod("b", 6, **{label: "y"}))
    assert names(cache, **{label: "x"}) == ["a"]
    cache.observe(POD, "MODIFIED", pod("a", 11, **{label: "y"}))
    assert names(cache, **{label: "x"}) == []
    assert names(cache, **{label: "y"}) == ["a", "b"]
    assert names(cache) == ["a", "b"]
