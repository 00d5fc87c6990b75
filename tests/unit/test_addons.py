"""The verbs of an add-on's life, as a user of the API meets them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor_k8s.errors import (
    AddonAlreadyInstalledError,
    AddonNotFoundError,
    AddonNotInstalledError,
    AddonOptionsInvalidError,
    AddonStartError,
    BusyError,
    ClusterRefusedError,
    ClusterUnavailableError,
    ImagePullError,
    TookTooLongError,
)
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.services.addons import Patience
from tests import builders
from tests.addon_house import IMAGE, NAME, NEXT_IMAGE, SLUG, House
from tests.fakes import Behaviour, FakeCluster


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House.build(tmp_path, FakeCluster())
    async with made.living():
        yield made


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[House]:
    """A house that waits for nothing longer than a moment (the add-on's own grace of 10 s is taken off)."""
    patience = Patience(start=0.05, launch=0.02, stop=-9.95)
    made = await House.build(tmp_path, FakeCluster(), patience=patience)
    async with made.living():
        yield made


async def test_a_start_makes_what_the_design_names(house: House) -> None:
    """Deployment, launch Secret and one pod; the answer comes when it is started."""
    await house.install(ports={"80/tcp": 8080})
    await house.start()
    assert house.kinds() == ["Secret", "Service", "Deployment", "Pod"]
    assert ("Secret", f"{NAME}-{house.launch().id}") in house.objects()
    assert house.state() is AddonState.STARTED
    assert house.options_file() == {}


async def test_stop_ends_the_token_with_the_pod(house: House) -> None:
    """Finish scripts call us until the pod is gone; afterwards token and Secret are gone too."""
    await house.install()
    await house.start()
    token = house.token()
    house.cluster.slow_stop = True
    stop = asyncio.create_task(house.stop())
    await house.settles(lambda: "deletionTimestamp" in house.pods()[0]["metadata"])
    assert house.access.caller(token) is not None
    assert "Secret" in house.kinds()
    house.cluster.end(house.pods()[0]["metadata"]["name"])
    await stop
    assert house.access.caller(token) is None
    assert house.kinds() == ["Deployment"]
    assert house.state() is AddonState.STOPPED


async def test_stop_again_and_stop_of_one_that_never_ran(house: House) -> None:
    """Both are fine and change nothing."""
    await house.install()
    await house.stop()
    assert house.kinds() == []
    await house.start()
    await house.stop()
    before = len(house.cluster.calls)
    await house.stop()
    assert len(house.cluster.calls) == before
    assert house.state() is AddonState.STOPPED


async def test_invalid_options_start_nothing_and_end_nothing(house: House) -> None:
    """Refused before anything is touched: a stopped add-on stays stopped, a running one runs on with its pod."""
    await house.install(options={"name": "x"}, schema={"name": "str"})
    await house.start()
    pod = house.pods()[0]["metadata"]["uid"]
    await house.settings.set_user(SLUG, options={"name": None})
    with pytest.raises(AddonOptionsInvalidError, match="name"):
        await house.restart()
    assert house.pods()[0]["metadata"]["uid"] == pod
    assert house.state() is AddonState.STARTED
    await house.stop()
    with pytest.raises(AddonOptionsInvalidError, match="name"):
        await house.start()
    assert house.state() is AddonState.STOPPED
    assert "Pod" not in house.kinds()


async def test_an_image_that_cannot_be_pulled_leaves_nothing(house: House) -> None:
    """The error names the image; state error, no pod, no token; the next start may succeed."""
    await house.install()
    house.cluster.behaviours[IMAGE] = Behaviour(pull_error="not found")
    with pytest.raises(AddonStartError, match=IMAGE):
        await house.start()
    assert house.state() is AddonState.ERROR
    assert house.kinds() == ["Deployment"]
    del house.cluster.behaviours[IMAGE]
    await house.start()
    assert house.state() is AddonState.STARTED


async def test_what_the_cluster_refuses_is_withdrawn(house: House) -> None:
    """The API server's words are the error, the state is error, and nothing of the launch is left."""
    await house.install(ports={"80/tcp": 8080})
    house.cluster.refused["Deployment"] = "spec.template is invalid"
    with pytest.raises(AddonStartError, match="template is invalid"):
        await house.start()
    assert house.state() is AddonState.ERROR
    assert house.objects() == []
    house.cluster.refused.clear()
    await house.start()
    assert house.state() is AddonState.STARTED


async def test_a_stop_that_is_refused_is_withdrawn(house: House) -> None:
    """The add-on runs on, and says so."""
    await house.install()
    await house.start()
    pod = house.pods()[0]["metadata"]["uid"]
    house.cluster.refused["Deployment"] = "no right to patch"
    for verb in (house.stop, house.restart):
        with pytest.raises(ClusterRefusedError, match="no right"):
            await verb()
        assert house.state() is AddonState.STARTED
    house.cluster.refused.clear()
    assert house.pods()[0]["metadata"]["uid"] == pod


async def test_an_api_server_that_is_away_does_not_cancel_the_wish(house: House) -> None:
    """The caller is told; the start goes on as soon as the API server answers."""
    await house.install()
    house.cluster.fail("apply", ClusterUnavailableError("the API server does not answer"))
    with pytest.raises(ClusterUnavailableError):
        await house.start()
    await house.settles(lambda: house.state() is AddonState.STARTED)
    assert len(house.pods()) == 1


async def test_a_slow_addon_is_answered_in_startup(hasty: House) -> None:
    """Slow and healthy is ok before the client hangs up; another start waits for the same pod and is ok as well."""
    house = hasty
    await house.install()
    house.cluster.behaviours[IMAGE] = Behaviour(ready=False)
    await house.start()
    assert house.state() is AddonState.STARTUP
    launch = house.launch().id
    await house.start()
    assert (house.launch().id, len(house.pods())) == (launch, 1)


async def test_a_start_while_its_former_pod_ends(hasty: House) -> None:
    """Ok means that it runs: while the old pod terminates there is no ok and no second pod, but the wish stands."""
    house = hasty
    await house.install()
    await house.start()
    old = house.pods()[0]["metadata"]["name"]
    house.cluster.slow_stop = True
    for verb in (house.stop, house.start, house.start):
        with pytest.raises(TookTooLongError, match=old):
            await verb()
    assert [pod["metadata"]["name"] for pod in house.pods()] == [old]
    house.cluster.end(old)
    await house.settles(lambda: house.state() is AddonState.STARTED)
    assert [pod["metadata"]["labels"]["io.hass.launch"] for pod in house.pods()] == [house.launch().id]


async def test_a_caller_that_hangs_up(house: House) -> None:
    """The work goes on without it."""
    await house.install()
    await house.start()
    house.cluster.slow_stop = True
    restart = asyncio.create_task(house.restart())
    await house.settles(lambda: "deletionTimestamp" in house.pods()[0]["metadata"])
    restart.cancel()
    house.cluster.end(house.pods()[0]["metadata"]["name"])
    await house.settles(lambda: house.state() is AddonState.STARTED)


async def test_two_verbs_at_once(house: House) -> None:
    """The second is refused, whichever it is."""
    await house.install()
    await house.start()
    house.cluster.slow_stop = True
    restart = asyncio.create_task(house.restart())
    await house.settles(lambda: "deletionTimestamp" in house.pods()[0]["metadata"])
    for verb in (house.start, house.stop, house.restart, house.uninstall):
        with pytest.raises(BusyError):
            await verb()
    house.cluster.end(house.pods()[0]["metadata"]["name"])
    await restart


async def test_a_restart_writes_options_once_the_old_pod_is_gone(house: House) -> None:
    """The program that is still ending keeps the options it was started with."""
    await house.install(options={"name": "old"}, schema={"name": "str"})
    await house.start()
    await house.settings.change(SLUG, {"options": {"name": "new"}})
    house.cluster.slow_stop = True
    restart = asyncio.create_task(house.restart())
    await house.settles(lambda: "deletionTimestamp" in house.pods()[0]["metadata"])
    await asyncio.sleep(0.02)
    assert house.options_file() == {"name": "old"}
    house.cluster.end(house.pods()[0]["metadata"]["name"])
    await restart
    assert house.options_file() == {"name": "new"}


async def test_a_restart_waits_for_programs_not_for_nodes(house: House) -> None:
    """Once nothing of the old pod runs, the new one starts, although the node has not cleared away the old one."""
    await house.install()
    await house.start()
    house.cluster.slow_stop = True
    former = house.pods()[0]["metadata"]["name"]
    restart = asyncio.create_task(house.restart())
    await house.cluster.stopping(former)
    assert not restart.done()
    over = builders.cleared_away(house.pods()[0])["status"]
    house.cluster.set_status("Pod", former, **over)
    await restart
    assert (house.state(), len(house.pods())) == (AddonState.STARTED, 2)
    house.cluster.end(former)
    assert (house.state(), len(house.pods())) == (AddonState.STARTED, 1)


async def test_an_update_changes_nothing_until_the_image_is_there(house: House) -> None:
    """A pull that fails leaves version and pod alone."""
    await house.install()
    await house.start()
    pod = house.pods()[0]["metadata"]["uid"]
    house.offer(version="2.0.0")
    house.cluster.behaviours[NEXT_IMAGE] = Behaviour(pull_error="no such tag")
    with pytest.raises(ImagePullError, match=NEXT_IMAGE):
        await house.update()
    assert house.addons.get(SLUG).user["version"] == "1.0.0"
    assert house.pods()[0]["metadata"]["uid"] == pod


async def test_an_update_switches_when_the_old_pod_is_gone(house: House) -> None:
    """Old version and image until then, new ones in the new pod."""
    await house.install()
    await house.start()
    house.offer(version="2.0.0")
    house.cluster.slow_stop = True
    update = asyncio.create_task(house.update())
    await house.settles(lambda: any("deletionTimestamp" in pod["metadata"] for pod in house.pods()))
    assert house.addons.get(SLUG).user["version"] == "1.0.0"
    house.cluster.end(house.pods()[0]["metadata"]["name"])
    await update
    assert house.addons.get(SLUG).user["version"] == "2.0.0"
    assert house.pods()[0]["spec"]["containers"][0]["image"] == NEXT_IMAGE


async def test_pods_that_are_over_do_not_hinder_a_stop(house: House) -> None:
    """Nobody but us deletes an evicted pod of a Deployment: a stop must not wait for it in vain."""
    await house.install()
    await house.start()
    old = house.pods()[0]
    await house.stop()
    evicted = {**old, "status": {"phase": "Failed", "reason": "Evicted"}}
    house.cluster.put(evicted)
    await house.settles(lambda: house.pods() == [])
    assert house.state() is AddonState.STOPPED


async def test_a_dynamic_ingress_port(house: House) -> None:
    """`ingress_port: 0`: one of 62000 to 65500, kept; the Service and the page show the same."""
    await house.install(ingress=True, ingress_port=0)
    port = house.addons.config(SLUG).ingress_port
    assert 62000 <= port <= 65500
    await house.start()
    service = house.cluster.get("Service", NAME)
    assert service is not None
    assert [entry["port"] for entry in service["spec"]["ports"]] == [port]


async def test_secrets_stay_out_of_texts(house: House) -> None:
    """A record may land in a log or an error: neither token nor options with passwords are in its text."""
    await house.install(options={"password": "hunter-2"}, schema={"password": "password"})
    await house.settings.change(SLUG, {"options": {"password": "sentinel-7"}})
    await house.start()
    text = repr(house.records.addons[SLUG])
    assert house.token() not in text
    assert "sentinel-7" not in text
    assert house.records.addons[SLUG].user["ingress_token"] not in text


LINK = ": homeassistant/secrets.yaml on the shared volume cannot be used: a part of it is a symbolic link"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("link", LINK),
        ("pipe", ""),
        ("folder", ""),
        ("far link", ": homeassistant/secrets.yaml on the shared volume cannot be used"),
        ("bad value", ": homeassistant/secrets.yaml is no plain YAML"),
    ],
)
async def test_secrets_that_are_no_plain_file(house: House, kind: str, why: str) -> None:
    """An add-on may replace Core's secrets.yaml: what is no plain file of YAML holds no secret, and nothing waits."""
    private = house.folder / "private"
    private.mkdir()
    (private / "secrets.yaml").write_text("pin: from-elsewhere\n")
    there = house.folder / "share" / "homeassistant"
    if kind == "far link":
        there.symlink_to(private)
    else:
        there.mkdir()
        file = there / "secrets.yaml"
        match kind:
            case "link":
                file.symlink_to(private / "secrets.yaml")
            case "pipe":
                os.mkfifo(file)
            case "folder":
                file.mkdir()
            case _:
                file.write_text("pin: 1234\nbad: !!bool maybe\n")
    await house.install(schema={"pin": "str"}, options={"pin": "!secret pin"})
    async with asyncio.timeout(5):
        said = (await house.settings.validate(SLUG, None)).fault
    assert said.startswith(f"Unknown secret 'pin' in option 'pin'{why}")
    assert "elsewhere" not in said


async def test_unknown_and_not_installed(house: House) -> None:
    """Two different errors for the API."""
    house.offer()
    with pytest.raises(AddonNotInstalledError):
        await house.start()
    with pytest.raises(AddonNotFoundError):
        await house.start("local_none")
    await house.do(house.addons.install)
    with pytest.raises(AddonAlreadyInstalledError):
        await house.do(house.addons.install)


async def test_uninstall_leaves_nothing(house: House) -> None:
    """No object, no data, no record, nothing published."""
    await house.install()
    await house.start()
    await house.uninstall()
    assert house.objects() == []
    assert house.forgotten == [SLUG]
    assert not (house.folder / "share" / "addons" / "data" / SLUG).exists()
    assert SLUG not in house.records.addons


async def test_a_pod_that_does_not_end(hasty: House) -> None:
    """Its node is dead, say: the stop says so, and is done when the pod is gone at last."""
    house = hasty
    await house.install()
    await house.start()
    token, pod = house.token(), house.pods()[0]["metadata"]["name"]
    house.cluster.slow_stop = True
    with pytest.raises(TookTooLongError, match=pod):
        await house.stop()
    house.cluster.end(pod)
    await house.settles(lambda: house.kinds() == ["Deployment"])
    assert house.access.caller(token) is None


async def test_an_addon_that_is_built(house: House) -> None:
    """A rebuild is another image, and one that is stopped stays so; a version with an image of its own is pulled."""
    house.site = builders.site(build_registry="registry.test/home")
    house.store[SLUG] = builders.unbuilt()
    await house.do(house.addons.install)
    first = house.addons.get(SLUG).user["image"]
    await house.do(house.addons.rebuild)
    assert house.state() is AddonState.STOPPED
    await house.start()
    second = house.pods()[0]["spec"]["containers"][0]["image"]
    assert first.startswith("registry.test/home/amd64-addon-local-example@sha256:")
    assert second.startswith("registry.test/home/amd64-addon-local-example:1.0.0@sha256:")
    assert first.partition("@")[2] != second.partition("@")[2]
    house.offer(version="2.0.0")
    await house.update()
    assert house.pods()[0]["spec"]["containers"][0]["image"] == NEXT_IMAGE
