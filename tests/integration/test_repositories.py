"""The store as its users see it, with repositories of a real git server."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from supervisor_k8s.errors import (
    LocalRepositoryError,
    RefusedError,
    RepositoryAlreadyAddedError,
    RepositoryError,
    RepositoryNotFoundError,
    StoreAddonNotFoundError,
)
from supervisor_k8s.model.repository import slug_of
from supervisor_k8s.services.repositories import Repositories
from supervisor_k8s.state.records import Records
from supervisor_k8s.store.git import Git
from tests import builders
from tests.gitserver import Files, GitServer

NAMED: Files = {"repository.yaml": "name: Things\nmaintainer: Me\n"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    with GitServer(tmp_path / "served").running() as server:
        yield server


def app(slug: str, **changes: object) -> Files:
    return {f"{slug}/config.yaml": json.dumps(builders.manifest(slug=slug, **changes))}


async def house(server: GitServer, tmp_path: Path) -> Repositories:
    """The store of an installation whose built-in repository `core` is on `server`, as after a start."""
    store = Repositories(
        built_in={"core": f"{server.url}/core"},
        records=await Records.load(tmp_path / "state"),
        git=Git(home=tmp_path / "home", environment=os.environ, timeout=20),
        clones=tmp_path / "state" / "store",
        folders={"local": tmp_path / "share" / "addons" / "local"},
    )
    await store.start()
    return store


@pytest.fixture
async def store(server: GitServer, tmp_path: Path) -> Repositories:
    server.repository("core").commit(app("mosquitto"))
    store = await house(server, tmp_path)
    await store.reload()
    return store


@asynccontextmanager
async def background(store: Repositories) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(store.run())
        yield
        task.cancel()


async def test_the_built_in_store_appears_without_being_asked_for(server: GitServer, tmp_path: Path) -> None:
    """Soon after the start the built-in add-ons are offered, with their repositories named."""
    server.repository("core").commit(app("mosquitto"))
    store = await house(server, tmp_path)
    arrived = asyncio.Event()
    store.reloaded.connect(lambda _: arrived.set())
    async with background(store), asyncio.timeout(10):
        await arrived.wait()
    assert store.addon("core_mosquitto").version == "1.0.0"
    assert [(r.slug, r.name, r.source) for r in store.list()] == [
        ("local", "Local apps", "local"),
        ("core", "Official apps", "core"),
    ]


async def test_no_network_is_normal(server: GitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without network the store comes up with what is on the disk; the failure is logged once and so is its end."""
    repository = server.repository("core")
    repository.commit(app("mosquitto"))
    await (await house(server, tmp_path)).reload()
    (server.root / "core").rename(server.root / "away")
    store = await house(server, tmp_path)
    assert store.has("core_mosquitto")
    with caplog.at_level(logging.INFO):
        await store.reload()
        await store.reload()
        away = store.reachable
        (server.root / "away").rename(server.root / "core")
        await store.reload()
    assert (away, store.reachable) == (False, True)
    said = [record.message.split(": fatal")[0] for record in caplog.records if "refreshed" in record.message]
    assert said == [
        f"Store core ({server.url}/core) cannot be refreshed, what is on the disk stays",
        "Store core can be refreshed again",
    ]


async def test_a_reload_tells_what_changed(server: GitServer, store: Repositories, tmp_path: Path) -> None:
    """Only repositories whose offer changed are told; an update shows the new version."""
    heard: list[tuple[str, ...]] = []
    store.reloaded.connect(heard.append)
    await store.reload()
    server.repository("core").commit(app("mosquitto", version="2.0.0"))
    await store.reload()
    local = tmp_path / "share" / "addons" / "local" / "mine"
    local.mkdir(parents=True)
    (local / "config.yaml").write_text(json.dumps(builders.manifest(slug="mine")))
    await store.reload()
    await store.reload()
    assert heard == [("core",), ("local",)]
    assert store.addon("core_mosquitto").version == "2.0.0"
    assert store.addon("local_mine").repository == "local"


async def test_a_repository_is_added_and_survives_a_restart(
    server: GitServer, store: Repositories, tmp_path: Path
) -> None:
    """Its add-ons are offered at once and after our restart, under the slug that everybody computes."""
    server.repository("things").commit(NAMED | app("lamp"))
    heard: list[tuple[str, ...]] = []
    url = f"{server.url}/things"
    store.reloaded.connect(heard.append)
    await store.add(url)
    slug = slug_of(url)
    assert heard == [(slug,)]
    for each in (store, await house(server, tmp_path)):
        assert each.has(f"{slug}_lamp")
        assert each.get(slug).name == "Things"
        assert (each.get(slug).source, each.get(slug).url, each.get(slug).maintainer) == (url, url, "Me")


async def test_a_repository_is_added_once(server: GitServer, store: Repositories) -> None:
    """The second time is a conflict, also for built-in ones by their address or name, and also at the same moment."""
    server.repository("things").commit(NAMED | app("lamp"))
    url = f"{server.url}/things"
    results = await asyncio.gather(store.add(url), store.add(url), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "RepositoryAlreadyAddedError"]
    for present in (url, f"{server.url}/core", "core", "local"):
        with pytest.raises(RepositoryAlreadyAddedError) as caught:
            await store.add(present)
        assert caught.value.extra_fields == {"url": present}


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/gone", "not found"), ("/empty", "It has no repository.yaml"), ("/core#gone", "couldn't find remote ref gone")],
)
async def test_what_cannot_be_added_changes_nothing(
    server: GitServer, store: Repositories, tmp_path: Path, path: str, reason: str
) -> None:
    """An address without a repository, or with something else, is refused with the reason and leaves no trace."""
    server.repository("empty").commit(app("lamp"))
    with pytest.raises(RepositoryError, match=f"cannot be added: .*{reason}"):
        await store.add(server.url + path)
    assert [repository.slug for repository in store.list()] == ["local", "core"]
    assert sorted(p.name for p in (tmp_path / "state" / "store").iterdir()) == ["core"]
    assert (await Records.load(tmp_path / "state")).repositories == ()


@pytest.mark.parametrize("url", ["", "nonsense", "file:///etc", "ext::sh -c id", "https://x/y#-b", "https://x/y#a b"])
async def test_an_address_that_is_none_is_refused(store: Repositories, url: str) -> None:
    """What is no address of a repository is refused before anything is tried."""
    with pytest.raises(RepositoryError, match="cannot be added"):
        await store.add(url)


async def test_a_password_in_an_address_is_not_shown(server: GitServer, store: Repositories) -> None:
    """Neither the error of a failed attempt nor the listing shows it; the stored address still has it."""
    server.repository("things").commit(NAMED)
    server.login = ("me", "s3cret")
    private = f"http://me:s3cret@{server.host}/things"
    with pytest.raises(RepositoryError) as caught:
        await store.add(private.replace("/things", "/gone"))
    assert "s3cret" not in str(caught.value)
    await store.add(private)
    assert store.get(slug_of(private)).source == f"http://***@{server.host}/things"
    await store.replace([f"http://***@{server.host}/things"])
    assert store.get(slug_of(private)).name == "Things"


async def test_a_repository_is_removed(server: GitServer, store: Repositories, tmp_path: Path) -> None:
    """Its add-ons vanish with its working copy, for good."""
    server.repository("things").commit(NAMED | app("lamp"))
    url = f"{server.url}/things"
    await store.add(url)
    await store.remove(slug_of(url))
    for each in (store, await house(server, tmp_path)):
        assert [repository.slug for repository in each.list()] == ["local", "core"]
        assert not each.has(f"{slug_of(url)}_lamp")
    assert [p.name for p in (tmp_path / "state" / "store").iterdir()] == ["core"]


async def test_what_is_needed_is_not_removed(server: GitServer, tmp_path: Path) -> None:
    """Built-in repositories and those of installed add-ons stay; an unknown one is not found."""
    server.repository("core").commit(app("mosquitto"))
    server.repository("things").commit(NAMED | app("lamp"))
    store = await house(server, tmp_path)
    await store.add(f"{server.url}/things")
    slug = slug_of(f"{server.url}/things")
    records = await Records.load(tmp_path / "state")
    config = store.addon(f"{slug}_lamp")
    await records.save_addon(builders.installed(config))
    store = await house(server, tmp_path)
    for built_in in ("core", "local"):
        with pytest.raises(RefusedError, match="Can't remove built-in repositories!"):
            await store.remove(built_in)
    with pytest.raises(RefusedError, match="It's used by installed apps"):
        await store.remove(slug)
    with pytest.raises(RepositoryNotFoundError, match="Repository gone does not exist in the store"):
        await store.remove("gone")
    assert store.has(f"{slug}_lamp")


async def test_a_repository_that_vanishes_keeps_its_last_state(server: GitServer, store: Repositories) -> None:
    """The author deletes the repository: what we have is still offered."""
    server.repository("things").commit(NAMED | app("lamp"))
    url = f"{server.url}/things"
    await store.add(url)
    (server.root / "things").rename(server.root / "away")
    await store.reload()
    assert store.has(f"{slug_of(url)}_lamp")
    assert store.reachable


async def test_a_repository_is_repaired(server: GitServer, store: Repositories, tmp_path: Path) -> None:
    """Repair clones anew, whatever the working copy looks like; the local folder cannot be repaired."""
    clone = tmp_path / "state" / "store" / "core"
    (clone / "mosquitto" / "config.yaml").write_text("[")
    (clone / ".git" / "HEAD").unlink()
    await store.repair("core")
    assert store.has("core_mosquitto")
    with pytest.raises(LocalRepositoryError) as caught:
        await store.repair("local")
    assert caught.value.extra_fields == {"local_repo": "local"}
    (server.root / "core").rename(server.root / "away")
    with pytest.raises(RepositoryError):
        await store.repair("core")
    assert store.has("core_mosquitto")


async def test_the_old_list_of_repositories_is_made_true(server: GitServer, store: Repositories) -> None:
    """`addons_repositories` adds what is missing and removes what is not listed; a failure does not stop the rest."""
    for name in ("one", "two"):
        server.repository(name).commit(NAMED | app(name))
    one, two, gone = (f"{server.url}/{name}" for name in ("one", "two", "gone"))
    await store.replace([one, "core"])
    assert [repository.source for repository in store.list()] == ["local", "core", one]
    with pytest.raises(RepositoryError, match="gone"):
        await store.replace([gone, two])
    assert [repository.source for repository in store.list()] == ["local", "core", two]


async def test_reloads_at_once_share_one(server: GitServer, store: Repositories) -> None:
    """Twenty impatient clicks cost the servers two refreshes, and the last click sees what was pushed before it."""
    server.requests.clear()
    await store.reload()
    one = len(server.requests)
    server.requests.clear()
    await asyncio.gather(*(store.reload() for _ in range(20)))
    assert len(server.requests) <= 2 * one


async def test_files_of_an_addon_are_served(server: GitServer, store: Repositories) -> None:
    """Pictures as bytes, documents as text; what is missing is said in a sentence, as the frontend needs it."""
    files: dict[str, str | bytes | None] = {
        "lamp/icon.png": b"\x89PNG",
        "lamp/README.md": "Read me.",
        "lamp/CHANGELOG.md": b"caf\xe9",
        "lamp/translations/en.yaml": 'network: {"80/tcp": Web}',
    }
    server.repository("things").commit(NAMED | app("lamp") | files)
    url = f"{server.url}/things"
    await store.add(url)
    slug = f"{slug_of(url)}_lamp"
    assert await store.icon(slug) == b"\x89PNG"
    assert await store.readme(slug) == "Read me."
    assert await store.changelog(slug) == "caf\ufffd"
    assert await store.documentation(slug) == f"No documentation found for app {slug}!"
    assert await store.translations(slug) == {"en": {"network": {"80/tcp": "Web"}}}
    assert [store.has_file(slug, name) for name in ("icon.png", "logo.png")] == [True, False]
    with pytest.raises(RefusedError, match=f"No logo found for app {slug}!"):
        await store.logo(slug)
    assert await store.changelog("x_y") == "App x_y does not exist in the store"
    assert await store.readme("x_y") is None
    with pytest.raises(StoreAddonNotFoundError):
        await store.icon("x_y")
    with pytest.raises(StoreAddonNotFoundError):
        store.addon("x_y")


async def test_a_picture_that_is_too_large_is_none(server: GitServer, store: Repositories) -> None:
    """A huge icon is not sent to browsers; a huge text is cut off."""
    files: dict[str, str | bytes | None] = {"lamp/icon.png": b"x" * 3_000_000, "lamp/README.md": "x" * 3_000_000}
    server.repository("things").commit(NAMED | app("lamp") | files)
    url = f"{server.url}/things"
    await store.add(url)
    with pytest.raises(RefusedError, match="No icon found"):
        await store.icon(f"{slug_of(url)}_lamp")
    assert len(await store.readme(f"{slug_of(url)}_lamp") or "") == 1024 * 1024


async def test_a_full_disk_is_told_and_hurts_nothing(server: GitServer, tmp_path: Path) -> None:
    """A state volume that takes no clone leaves an empty store that says why, and a Supervisor that lives."""
    server.repository("core").commit(app("mosquitto"))
    store = await house(server, tmp_path)
    (tmp_path / "state" / "store").write_text("no folder")
    await store.reload()
    assert not store.reachable
    with pytest.raises(RepositoryError, match="The state volume does not take it"):
        await store.repair("core")
