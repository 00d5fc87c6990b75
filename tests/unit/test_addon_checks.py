"""Installed add-ons against what the stores offer now."""

from typing import Any

import pytest

from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.services.addon_checks import AddonChecks
from supervisor_k8s.store import catalogue as store
from tests.builders import addon, installed, site

STORE = "5c53de3b"


def checks(records: dict[str, InstalledAddon], catalogue: store.Catalogue, **here: str) -> AddonChecks:
    return AddonChecks(installed=lambda: records, catalogue=lambda: catalogue, site=site(**here))


def offer(*slugs: str, broken: bool = False) -> store.Catalogue:
    """A store with these add-ons; `broken`: and with one that cannot be read."""
    addons = {config.slug: config for config in (addon(STORE, slug=slug) for slug in slugs)}
    repository = store.StoreRepository(slug=STORE, name="Store", source="", url="", maintainer="")
    faults = (store.Fault(STORE, "one", "no valid YAML"),) if broken else ()
    return store.Catalogue(addons=addons, repositories={STORE: repository}, faults=faults)


RECORDS = {f"{STORE}_one": installed(addon(STORE, slug="one"))}


async def test_offered() -> None:
    """Nothing is wrong."""
    made = checks(RECORDS, offer("one"))
    assert [await made.missing(), await made.removed(), await made.deprecated()] == [[], [], []]


async def test_the_repository_is_gone() -> None:
    """It is missing, not removed."""
    made = checks(RECORDS, store.Catalogue())
    assert await made.missing() == [Fault(Cause.DETACHED_ADDON_MISSING, Context.ADDON, f"{STORE}_one")]
    assert await made.removed() == []


async def test_the_repository_offers_others() -> None:
    """It was removed from there."""
    made = checks(RECORDS, offer("two"))
    assert await made.removed() == [Fault(Cause.DETACHED_ADDON_REMOVED, Context.ADDON, f"{STORE}_one")]
    assert await made.missing() == []


async def test_a_repository_of_which_not_everything_is_known() -> None:
    """Not fetched yet, or half of it cannot be read: nobody is told to remove anything."""
    for catalogue in (offer(), offer("two", broken=True)):
        assert await checks(RECORDS, catalogue).removed() == []


async def test_deprecated() -> None:
    """By the installed version's manifest."""
    config = addon(STORE, slug="one", stage="deprecated")
    made = checks({config.slug: installed(config)}, offer("one"))
    assert await made.deprecated() == [Fault(Cause.DEPRECATED_ADDON, Context.ADDON, config.slug)]


@pytest.mark.parametrize(
    ("manifest", "here", "found"),
    [
        ({"arch": ["amd64", "armv7"]}, {"arch": "amd64"}, False),
        ({"arch": ["amd64", "armv7"]}, {"arch": "aarch64"}, True),
        ({"arch": ["amd64"]}, {"arch": "aarch64"}, False),
        ({"machine": ["raspberrypi4", "yellow"]}, {"machine": "yellow"}, False),
        ({"machine": ["raspberrypi4", "yellow"]}, {"machine": "green"}, True),
        ({"machine": ["!raspberrypi4", "green"]}, {"machine": "green"}, False),
        ({"machine": ["yellow"]}, {"machine": "green"}, False),
        ({"arch": ["armv7"], "stage": "deprecated"}, {"arch": "amd64"}, False),
    ],
)
async def test_left_behind(manifest: dict[str, Any], here: dict[str, str], found: bool) -> None:
    """For what Home Assistant has given up, and not for the nodes that there are now."""
    config = addon(STORE, slug="one", **manifest)
    made = checks({config.slug: installed(config)}, offer("one"), **here)
    fault = Fault(Cause.DEPRECATED_ARCH_ADDON, Context.ADDON, config.slug)
    assert await made.left_behind() == [fault] * found
