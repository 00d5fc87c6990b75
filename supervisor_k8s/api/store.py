"""`/store…`: what can be installed, and from where; and the older paths below `/addons` that lead here.

Texts for unknown add-ons differ from those of `/addons`, and `self` is no add-on here: both as upstream.
"""

import voluptuous as vol
from aiohttp import web

from supervisor_k8s.api import shown, views
from supervisor_k8s.api.answers import JobStarted
from supervisor_k8s.api.answers_addons import Compatibility, Repository, Store, StoreAddons, StoreInfo
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.errors import AddonAlreadyInstalledError, ForbiddenError, RefusedError
from supervisor_k8s.model.availability import check_available
from supervisor_k8s.model.intent import job_group
from supervisor_k8s.store.catalogue import StoreRepository
from supervisor_k8s.store.git import redact

INSTALL = {vol.Optional("background", default=False): bool}
UPDATE = {vol.Optional("backup"): bool, vol.Optional("background", default=False): bool}
PNG, BYTES, TEXT = "image/png", "application/octet-stream", "text/plain"


async def info(call: Call) -> Store:
    return {"addons": shown.store_items(call.services), "repositories": _repositories(call)}


async def addons(call: Call) -> StoreAddons:
    return {"addons": shown.store_items(call.services)}


async def addon(call: Call) -> StoreInfo:
    return await shown.store_info(call.services, call.part("app"))


async def availability(call: Call) -> None:
    config = call.services.repositories.addon(call.part("app"))
    check_available(config, call.services.allowances.site, core_version=call.services.core.version)


async def compatibility(call: Call) -> Compatibility:
    """Our own: what becomes of the add-on on this cluster, before it is installed."""
    config = call.services.repositories.addon(call.part("app"))
    return views.compatibility(shown.report(call.services, config))


async def install(call: Call) -> JobStarted | None:
    slug, addons = call.part("app"), call.services.addons
    _check_version(call, slug)
    if slug in addons.installed():
        raise AddonAlreadyInstalledError(app=slug, slug=slug)
    outcome = await call.services.jobs.do(
        "app_manager_install",
        slug,
        job_group(slug),
        lambda progress: progress.child("app_install", slug, lambda part: addons.install(slug, part.stage)),
        background=call.body["background"],
        queue=True,
    )
    return {"job_id": outcome.job} if outcome.running else None


async def update(call: Call) -> JobStarted | None:
    slug, addons = call.part("app"), call.services.addons
    if call.caller is not None and call.caller.slug == slug:
        raise ForbiddenError(f"App {slug} can't update itself!")
    _check_version(call, slug)
    if slug not in addons.installed():
        raise RefusedError(f"App {slug} is not installed")
    if call.body.get("backup"):
        raise RefusedError("A backup before the update was asked for; backups are not supported yet")

    outcome = await call.services.jobs.do(
        "addon_manager_update",
        slug,
        job_group(slug),
        lambda progress: call.services.addon_updates.update(slug, progress),
        background=call.body["background"],
    )
    return {"job_id": outcome.job} if outcome.running else None


def _check_version(call: Call, slug: str) -> None:
    """The store has one version of each add-on; another one in the path cannot be installed."""
    config = call.services.repositories.addon(slug)
    wanted = call.request.match_info.get("version", config.version)
    if wanted != config.version:
        raise RefusedError(f"Version {wanted} of app {slug} is not in the store; it has {config.version}")


async def changelog(call: Call) -> web.Response:
    """Always 200: the frontend shows no errors here."""
    return _text(await call.services.repositories.changelog(call.part("app")))


async def documentation(call: Call) -> web.Response:
    """Always 200, as the changelog."""
    return _text(await call.services.repositories.documentation(call.part("app")))


async def icon(call: Call) -> web.Response:
    return web.Response(body=await call.services.repositories.icon(call.part("app")), content_type=PNG)


async def logo(call: Call) -> web.Response:
    return web.Response(body=await call.services.repositories.logo(call.part("app")), content_type=PNG)


def _text(content: str) -> web.Response:
    return web.Response(text=content, content_type=TEXT, charset="utf-8")


async def reload(call: Call) -> None:
    repositories = call.services.repositories
    await call.services.jobs.do("store_manager_reload", None, None, lambda _: repositories.reload())


async def repositories(call: Call) -> list[Repository]:
    return _repositories(call)


async def repository(call: Call) -> Repository:
    return _shown(call.services.repositories.get(call.part("repository")))


async def add_repository(call: Call) -> None:
    store, url = call.services.repositories, call.body["repository"]
    # The job's reference is told to Core and to whoever asks for jobs.
    await call.services.jobs.do("store_manager_add_repository", redact(url), None, lambda _: store.add(url))


async def remove_repository(call: Call) -> None:
    await call.services.repositories.remove(call.part("repository"))


async def repair_repository(call: Call) -> None:
    await call.services.repositories.repair(call.part("repository"))


def _repositories(call: Call) -> list[Repository]:
    return [_shown(found) for found in call.services.repositories.list()]


def _shown(found: StoreRepository) -> Repository:
    return {
        "slug": found.slug,
        "name": found.name,
        "source": found.source,
        "url": found.url,
        "maintainer": found.maintainer,
    }


def _files(prefix: str) -> tuple[Route, ...]:
    return (
        get(f"{prefix}/{{app}}/icon", icon, raw=BYTES, media=PNG),
        get(f"{prefix}/{{app}}/logo", logo, raw=BYTES, media=PNG),
        get(f"{prefix}/{{app}}/changelog", changelog, media=TEXT),
        get(f"{prefix}/{{app}}/documentation", documentation, media=TEXT),
        post(f"{prefix}/{{app}}/install", install, INSTALL, fails=(429, 500)),
        post(f"{prefix}/{{app}}/update", update, UPDATE, fails=(429, 500)),
    )


ROUTES: tuple[Route, ...] = (
    get("/store", info),
    get("/store/addons", addons),
    get("/store/addons/{app}", addon),
    get("/store/addons/{app}/availability", availability),
    get("/store/addons/{app}/compatibility", compatibility),
    *_files("/store/addons"),
    *_files("/addons"),
    post("/store/addons/{app}/install/{version}", install, INSTALL, fails=(429, 500)),
    post("/store/addons/{app}/update/{version}", update, UPDATE, fails=(429, 500)),
    get("/store/addons/{app}/{version}", addon),
    post("/store/reload", reload),
    post("/addons/reload", reload),
    get("/store/repositories", repositories),
    post("/store/repositories", add_repository, {vol.Required("repository"): str}, fails=(409,)),
    get("/store/repositories/{repository}", repository),
    delete("/store/repositories/{repository}", remove_repository),
    post("/store/repositories/{repository}/repair", repair_repository),
)
