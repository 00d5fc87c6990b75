"""Gathers what a reply about add-ons says, from the services that know the parts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from supervisor_k8s.api import views
from supervisor_k8s.api.answers_addons import AddonInfo, StoreInfo, StoreItem
from supervisor_k8s.api.envelope import written
from supervisor_k8s.api.keys import Services
from supervisor_k8s.api.views import Assets, ShownAddon
from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.allowance import grants
from supervisor_k8s.model.availability import check_available, compatibility
from supervisor_k8s.model.compatibility import Report, Verdict, sentence
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.ports import is_on_node

ICON, LOGO, CHANGELOG, DOCUMENTATION = "icon.png", "logo.png", "CHANGELOG.md", "DOCS.md"


def addon(services: Services, slug: str) -> ShownAddon:
    """An installed add-on. AddonNotFoundError, AddonNotInstalledError."""
    record = services.addons.get(slug)
    store = services.repositories.catalogue.addons.get(slug)
    config = services.addons.config(slug)
    return ShownAddon(
        record=record,
        config=config,
        store=store,
        available=available(services, store or config),
        assets=assets(services, slug),
        state=services.addons.state(slug),
        address=services.addons.address(slug),
        published_at=_published_at(services, record),
        options=services.addon_settings.merged(slug),
        given=grants(config, services.allowances.allowed),
    )


def addons(services: Services) -> Iterator[ShownAddon]:
    """All installed ones, by slug."""
    return (addon(services, slug) for slug in sorted(services.addons.installed()))


def addons_made_of(services: Services) -> tuple[object, ...]:
    """For the memo: everything that `addons` reads."""
    catalogue, allowances = services.repositories.catalogue, services.allowances
    return (*services.addons.revision, catalogue, services.core.version, allowances.allowed, allowances.nodes)


def kept[T](services: Services, name: str, made_of: tuple[object, ...], make: Callable[[], T]) -> T:
    """The data of an answer, as it was written; made again when something of `made_of` was replaced."""
    return cast("T", services.memo.get(name, made_of, lambda: written(make())))


async def addon_info(services: Services, slug: str, *, with_options: bool) -> AddonInfo:
    """`GET /addons/<slug>/info` of an installed add-on, as it was written. AddonNotFoundError,
    AddonNotInstalledError.
    """
    services.addons.get(slug)
    texts = await _texts(services, slug)
    known: dict[tuple[str, bool], Any] = services.memo.get("addon infos", addons_made_of(services), dict)
    if (slug, with_options) not in known:
        answer = views.addon_info(addon(services, slug))
        answer["long_description"], answer["translations"] = texts
        if not with_options:
            answer["options"] = {}
        known[slug, with_options] = written(answer)
    return cast("AddonInfo", known[slug, with_options])


def _published_at(services: Services, record: InstalledAddon) -> str | None:
    """Where the add-on's published ports are reached from outside; None while nobody knows."""
    if is_on_node(record):
        return services.addons.address(record.slug)
    return services.publishing.address(record.slug)


async def _texts(services: Services, slug: str) -> tuple[str | None, Mapping[str, Any]]:
    """README and translations as they were when the store was read: to parse a dozen files takes longer than all else
    that an answer needs. Whoever edits an add-on of their own has its store read again for its manifest, too.
    """
    known: dict[str, Any] = services.memo.get("texts", (services.repositories.catalogue,), dict)
    if slug not in known:
        repositories = services.repositories
        known[slug] = await repositories.readme(slug), await repositories.translations(slug)
    return cast("tuple[str | None, Mapping[str, Any]]", known[slug])


def store_items(services: Services) -> list[StoreItem]:
    """All add-ons of the store."""

    def make() -> list[StoreItem]:
        installed = _installed_versions(services)
        return [
            views.store_item(config, assets(services, slug), installed.get(slug), available=available(services, config))
            for slug, config in services.repositories.catalogue.addons.items()
        ]

    return kept(services, "store", addons_made_of(services), make)


async def store_info(services: Services, slug: str) -> StoreInfo:
    """`GET /store/addons/<slug>`. StoreAddonNotFoundError."""
    config = services.repositories.addon(slug)
    installed = _installed_versions(services).get(slug)
    given, fits = grants(config, services.allowances.allowed), available(services, config)
    answer = views.store_info(config, assets(services, slug), installed, given, available=fits)
    return {**answer, "long_description": _headed(report(services, config), await services.repositories.readme(slug))}


def report(services: Services, config: AddonConfig) -> Report:
    """What becomes of the add-on here."""
    site, hindrance = services.docker_network.site, services.publishing.hindrance
    return compatibility(config, site, core_version=services.core.version, unpublished=hindrance)


def _headed(found: Report, readme: str | None) -> str | None:
    """The store's page of an add-on says first what somebody who installs it will lack."""
    return readme if found.verdict is Verdict.RUNS else f"> {sentence(found)}\n\n{readme or ''}"


def assets(services: Services, slug: str) -> Assets:
    """Which files lie beside the manifest in the store; none for an add-on that is in no store."""
    has = services.repositories.has_file
    return Assets(
        icon=has(slug, ICON),
        logo=has(slug, LOGO),
        changelog=has(slug, CHANGELOG),
        documentation=has(slug, DOCUMENTATION),
    )


def available(services: Services, config: AddonConfig) -> bool:
    """Whether it could be installed here."""
    try:
        check_available(config, services.allowances.site, core_version=services.core.version)
    except RefusedError:
        return False
    return True


def _installed_versions(services: Services) -> dict[str, str]:
    return {slug: str(record.user["version"]) for slug, record in services.addons.installed().items()}
