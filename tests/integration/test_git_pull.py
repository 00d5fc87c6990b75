"""The Git pull add-on from the store to a configuration that is live, and what keeps a commit from that."""

from pathlib import Path

import pytest
import yaml
from aiohasupervisor import SupervisorBadRequestError
from aiohttp import web
from aiohttp.test_utils import TestServer

from git_pull.__main__ import serve
from git_pull.changes import Changes
from git_pull.disk import read_disk
from git_pull.switch import Switch, Target
from git_pull.tree import Entry
from git_pull.web import Ports
from tests.contract.house import Home
from tests.gitserver import GitServer, git
from tests.unit.git_pull_cuts import blob

from .git_pull_house import FIRST, SHIPPED, SLUG, Houseful, around, house, texts

__all__ = ["around", "house"]


async def test_it_is_in_the_store(home: Home) -> None:
    """Without anybody having fetched anything; with all that its page shows. Its repository is built in."""
    store = home.client().store
    (repository,) = [found for found in await store.repositories_list() if found.slug == "k8s"]
    assert (repository.source, repository.name) == ("k8s", "Supervisor for Kubernetes")
    addon = await store.addon_info(SLUG)
    assert (addon.available, addon.repository) == (True, "k8s")
    assert [addon.icon, addon.logo, addon.documentation] == [True] * 3
    assert "2026.11.0" in await store.addon_changelog(SLUG)
    assert "first_run" in await store.addon_documentation(SLUG)
    with pytest.raises(SupervisorBadRequestError, match="Can't remove built-in repositories!"):
        await store.remove_repository("k8s")
    answer = await home.raw("POST", "/store/repositories/k8s/repair")
    assert (answer.status, answer.json["error_key"]) == (400, "store_repository_local_cannot_reset")
    options = (SHIPPED / "git_pull" / "config.yaml").read_text()
    translated = yaml.safe_load((SHIPPED / "git_pull" / "translations" / "en.yaml").read_text())["configuration"]
    assert set(translated) == set(yaml.safe_load(options)["schema"])


async def test_a_house_from_git(house: Houseful) -> None:
    """The first commit becomes the configuration; the add-on ends, and says that a restart is left to the user."""
    pod = house.core_pod()
    assert await house.run() == 0
    assert texts(house.live) == FIRST
    assert house.checked == [FIRST]
    (shown,) = house.notifications()
    assert shown is not None
    assert "has to be restarted" in shown
    assert "configuration.yaml" in shown
    assert house.core_pod() == pod


async def test_only_what_changed_is_checked_and_written(house: Houseful) -> None:
    """With everything of the user's beside it untouched; a second pass over the same commit asks nobody anything."""
    await house.run()
    own = {"secrets.yaml": "a: b\n", ".storage/auth": "{}", "packages/mine.yaml": "{}\n", "automations.yaml": "- ui\n"}
    for path, text in own.items():
        (house.live / path).parent.mkdir(exist_ok=True)
        (house.live / path).write_text(text)
    inode = (house.live / "configuration.yaml").stat().st_ino
    house.repository.commit({"packages/a.yaml": None, "packages/b.yaml": "{}\n"})
    assert await house.run() == 0
    assert await house.run() == 0
    assert house.checked[1:] == [{"packages/b.yaml": "{}\n"}]
    assert house.without[1:] == [["packages/a.yaml"]]
    kept = {path: text for path, text in FIRST.items() if path != "packages/a.yaml"}
    assert texts(house.live) == {**kept, **own, "packages/b.yaml": "{}\n"}
    assert (house.live / "configuration.yaml").stat().st_ino == inode


async def test_what_core_does_not_take_is_not_live(house: Houseful) -> None:
    """It is told in Core's words, not checked twice, and a good commit or a revert is live without further ado."""
    await house.run()
    house.home.core.forget()
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    assert await house.run() == 1
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert len(house.checked) == 2
    shown = house.notifications()
    assert [str(text).splitlines()[-1] for text in shown] == ["Integration error: configuration.yaml says nonsense"] * 2
    (house.live / "packages" / "mine.yaml").write_text("{}\n")
    assert await house.run() == 1
    assert len(house.checked) == 3, "another file of the user's may make it valid"
    git(house.repository.path, "revert", "--no-edit", "HEAD")
    assert await house.run() == 0
    assert house.notifications()[-1] is None
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    assert await house.run() == 1
    house.repository.commit({"configuration.yaml": "fixed:\n"})
    assert await house.run() == 0
    assert (house.live / "configuration.yaml").read_text() == "fixed:\n"


async def test_a_commit_that_nobody_signed(house: Houseful) -> None:
    """Where signatures are asked for it is not live, and that is told; what is live stays."""
    await house.run()
    await house.set(
        allowed_signers=["me@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/"]
    )
    assert await house.run() == 0
    commit = house.repository.commit({"configuration.yaml": "unsigned:\n"})
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert f"{commit[:10]} is not signed" in str(house.notifications()[-1])
    assert [outcome for outcome, _ in house.runs()][-1] == "untrusted"


async def test_a_submodule(house: Houseful, git_server: GitServer) -> None:
    """Left out, until it is wanted; its files are live then, without a new commit, and what the user has stays."""
    theirs = git_server.repository("themes").commit({"dark.yaml": "dark: {}\n"})
    modules = '[submodule "themes"]\n\tpath = themes\n\turl = ../themes\n'
    git(house.repository.path, "update-index", "--add", "--cacheinfo", f"160000,{theirs},themes")
    (house.repository.path / "themes").mkdir()
    house.repository.commit({".gitmodules": modules})
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, ".gitmodules": modules}
    (house.live / "mine.yaml").write_text("{}\n")
    await house.set(submodules=True)
    assert await house.run() == 0
    mine = {".gitmodules": modules, "themes/dark.yaml": "dark: {}\n", "mine.yaml": "{}\n"}
    assert texts(house.live) == {**FIRST, **mine}


async def test_another_repository(house: Houseful, git_server: GitServer) -> None:
    """It begins anew: nothing of the old one is removed."""
    await house.run()
    git_server.repository("other").commit({"other.yaml": "{}\n"})
    await house.set(repository=f"{git_server.url}/other")
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, "other.yaml": "{}\n"}


async def test_a_rewritten_history(house: Houseful) -> None:
    """A forced push is a commit like any other."""
    await house.run()
    house.repository.commit({"packages/a.yaml": None, "configuration.yaml": "forced:\n"}, force=True)
    assert await house.run() == 0
    expected = {**FIRST, "configuration.yaml": "forced:\n"}
    del expected["packages/a.yaml"]
    assert texts(house.live) == expected


async def test_a_login(house: Houseful, git_server: GitServer) -> None:
    """User and password reach the server; without, or with wrong ones, nothing is changed and none of them is told."""
    git_server.login = ("me", "s3cret/x")
    assert await house.run() == 1
    await house.set(deployment_user="me", deployment_password="wr0ng")
    assert await house.run() == 1
    assert not any("wr0ng" in str(text) for text in house.notifications())
    assert texts(house.live) == {}
    await house.set(deployment_password="s3cret/x")
    assert await house.run() == 0
    assert texts(house.live) == FIRST


async def test_a_switch_that_was_cut(house: Houseful, git_server: GitServer) -> None:
    """The next start ends it before it asks anybody anything, and restarts Core for it as soon as it may."""
    await house.set(auto_restart=True)
    await house.run()
    pod = house.core_pod()
    (house.data / "next").mkdir()
    (house.data / "next" / "configuration.yaml").write_text("cut:\n")
    ids = read_disk(house.live, ["configuration.yaml"], like="0" * 40).ids
    changes = Changes(write={"configuration.yaml": Entry(blob("cut:\n"))})
    commit = house.repository.commit({"configuration.yaml": "cut:\n"})
    target = Target(
        commit=commit, repository=f"{git_server.url}/house", kept=house.data / "kept", restore=house.data / "r.sh"
    )
    Switch(house.live).prepare(changes, ids, house.data / "next", target)
    git_server.login = ("nobody", "gets in")
    assert await house.run() == 1
    assert texts(house.live) == {**FIRST, "configuration.yaml": "cut:\n"}
    assert house.core_pod() == pod
    git_server.login = None
    assert await house.run() == 0
    assert house.core_pod() != pod
    assert len(house.checked) == 1


async def test_a_supervisor_that_cannot_check_candidates(house: Houseful, tmp_path: Path) -> None:
    """Others look at what is live already and say that all is well: nothing is changed then."""

    async def well(_request: web.Request) -> web.Response:
        return web.json_response({"result": "ok", "data": {"slug": SLUG, "version": "2026.11.0"}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", well)
    async with TestServer(app) as other:
        address = str(other.make_url("")).rstrip("/")
        assert await serve(live=house.live, data=house.data, address=address, token="t", ports=Ports(0, 0, 0)) == 1
    assert texts(house.live) == {}
