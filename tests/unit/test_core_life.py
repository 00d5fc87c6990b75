"""Home Assistant Core as a workload: launches, restarts, options, and what the cluster then holds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import (
    ClusterUnavailableError,
    CoreMigratingError,
    CoreStartError,
)
from supervisor_k8s.model.intent import CORE_KEY, Wanted
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.reconcile import Reconciler
from supervisor_k8s.remote.core_api import CoreState
from supervisor_k8s.services.core import Core, Neighbours
from supervisor_k8s.services.link import Link
from supervisor_k8s.state.records import Records
from tests import builders
from tests.fakes import Behaviour, FakeCluster

IMAGE = "registry.test/core"
POD = "homeassistant-0"


class Outside:
    """What Core's service is connected with: it notes what was asked and answers as the test says."""

    def __init__(self) -> None:
        self.touched: list[str] = []
        self.directories: list[str] = []
        self.pulled: list[str] = []
        self.migrating = False
        self.latest: str | None = None

    async def make_directories(self, paths: Any) -> None:
        self.directories += paths

    async def touch(self, path: str) -> None:
        self.touched.append(path)

    async def pull(self, image: str, on_stage: Callable[[str], None]) -> None:
        on_stage("pulling")
        self.pulled.append(image)

    async def first_version(self) -> str:
        return "2026.11.0"

    async def state(self) -> CoreState:
        return CoreState(state="STARTING" if self.migrating else "RUNNING", migrating=self.migrating)

    async def wait_up(self, _within: float) -> None:
        return


class House:
    """Core with its reconciler, records on disk and a double of the cluster."""

    def __init__(self, records: Records, cluster: FakeCluster) -> None:
        self.cluster, self.records, self.outside = cluster, records, Outside()
        self.site = builders.site()
        self.reconciler = Reconciler(cluster=cluster, render=lambda _: self.core.workload(), key_of=lambda _: CORE_KEY)
        self.link = Link(cluster=cluster, converge=self.reconciler.converge, site=self.site)
        self.core = Core(
            cluster=cluster,
            converge=self.reconciler.converge,
            records=records,
            site=lambda: self.site,
            image=IMAGE,
            first_version=self.outside.first_version,
            neighbours=Neighbours(
                link_secrets=self.link.secrets,
                make_directories=self.outside.make_directories,
                touch=self.outside.touch,
                pull=self.outside.pull,
                core_state=self.outside.state,
                wait_up=self.outside.wait_up,
                timezone=lambda: "Europe/Zurich",
                latest=lambda: self.outside.latest,
                poke=self.reconciler.poke,
            ),
        )

    async def prepare(self) -> None:
        await self.link.prepare()
        await self.core.prepare()

    @property
    def launch_id(self) -> str:
        launch = self.core.record.intent.launch
        assert launch is not None
        return launch.id

    def pod_launches(self) -> list[str]:
        return [pod["metadata"]["labels"]["io.hass.launch"] for pod in self.cluster.pods()]

    def token_secrets(self) -> list[str]:
        names = [item["metadata"]["name"] for item in self.cluster.select("Secret", {"io.hass.type": "homeassistant"})]
        return [name for name in names if name.startswith("homeassistant-")]

    @asynccontextmanager
    async def loop(self) -> AsyncIterator[None]:
        """With the reconciler's own loop, as in production."""
        task = asyncio.ensure_future(self.reconciler.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def house(tmp_path: Path) -> House:
    made = House(await Records.load(tmp_path), FakeCluster())
    await made.prepare()
    return made


async def test_the_first_start_makes_everything_core_needs(house: House) -> None:
    """StatefulSet, both Services, the link's ConfigMap and keys, the token: one pod, and the record says so."""
    await house.core.boot()
    kinds = {(kind, name) for verb, kind, name in house.cluster.calls if verb == "apply"}
    assert kinds == {
        ("StatefulSet", "homeassistant"),
        ("Service", "homeassistant"),
        ("Service", "homeassistant-headless"),
        ("ConfigMap", "core-link"),
        ("Secret", "core-link-ca"),
        ("Secret", "core-link-client"),
        ("Secret", "core-link-server"),
        ("Secret", f"homeassistant-{house.launch_id}"),
    }
    assert house.pod_launches() == [house.launch_id]
    assert house.outside.directories == ["homeassistant", "ssl", "share", "media"]
    assert house.core.record.version == "2026.11.0"
    assert house.core.status().state is AddonState.STARTED
    assert house.core.address() == house.cluster.pods()[0]["status"]["podIP"]


async def test_the_launch_has_the_users_time_zone(house: House) -> None:
    """Frozen at the start; Core's own post of a time zone later changes nothing that runs."""
    await house.core.boot()
    assert {"name": "TZ", "value": "Europe/Zurich"} in house.cluster.pods()[0]["spec"]["containers"][0]["env"]


async def test_our_restart_leaves_core_alone(house: House, tmp_path: Path) -> None:
    """The next process reads the record and writes nothing that touches the pod."""
    await house.core.boot()
    before = house.cluster.pods()
    house.cluster.calls.clear()
    after = House(await Records.load(tmp_path), house.cluster)
    await after.prepare()
    await after.core.boot()
    assert house.cluster.pods() == before
    assert [call for call in house.cluster.calls if call[1] != "Secret"] == []


async def test_core_that_is_not_to_boot_stays_away(house: House) -> None:
    """`boot: false` is the user's."""
    await house.core.set_options({"boot": False})
    await house.core.boot()
    assert house.cluster.pods() == []


async def test_restart_waits_for_the_old_pod_and_brings_a_new_launch(house: House) -> None:
    """Never two at once: while the old pod ends there is no other, and its token stays good until then."""
    await house.core.boot()
    house.cluster.slow_stop = True
    old = house.launch_id
    async with house.loop():
        restart = asyncio.ensure_future(house.core.restart())
        await asyncio.sleep(0.05)
        assert house.pod_launches() == [old]
        assert house.launch_id == old
        assert house.token_secrets() == [f"homeassistant-{old}"]
        house.cluster.end(POD)
        await asyncio.wait_for(restart, 5)
        await asyncio.sleep(0.05)
    assert house.launch_id != old
    assert house.pod_launches() == [house.launch_id]
    assert house.token_secrets() == [f"homeassistant-{house.launch_id}"]


async def test_a_crash_of_ours_in_a_restart_ends_with_a_running_core(house: House, tmp_path: Path) -> None:
    """Whoever comes next finds Core wanted and starts it."""
    await house.core.boot()
    house.cluster.slow_stop = True
    restart = asyncio.ensure_future(house.core.restart())
    await asyncio.sleep(0.05)
    crashed = replace(house.core.record)
    restart.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await restart
    assert crashed.intent.wanted is Wanted.RUNNING
    after = House(await Records.load(tmp_path), house.cluster)
    await after.prepare()
    await after.core.boot()
    house.cluster.end(POD)
    assert len(house.pod_launches()) == 1


async def test_stop_and_start(house: House) -> None:
    """Stopped is without pod and stays so over our restart; a start is a new launch."""
    await house.core.boot()
    first = house.launch_id
    await house.core.stop()
    await house.core.boot()
    assert house.cluster.pods() == []
    assert house.core.status().state is AddonState.STOPPED
    await house.core.start()
    assert house.pod_launches() == [house.launch_id] != [first]


async def test_starting_a_running_core_does_nothing(house: House) -> None:
    """As upstream: ok, and the same pod."""
    await house.core.boot()
    before = house.launch_id
    await house.core.start()
    assert house.launch_id == before


async def test_safe_mode_is_a_file_that_core_finds(house: House) -> None:
    """Core reads and deletes `safe-mode` in its configuration folder."""
    await house.core.boot()
    await house.core.restart(safe_mode=True)
    assert house.outside.touched == ["homeassistant/safe-mode"]


@pytest.mark.parametrize("verb", ["stop", "restart", "rebuild"])
async def test_an_offline_migration_is_not_interrupted(house: House, verb: str) -> None:
    """Refused until it is over, unless forced."""
    await house.core.boot()
    before = house.launch_id
    house.outside.migrating = True
    with pytest.raises(CoreMigratingError):
        await getattr(house.core, verb)()
    assert house.pod_launches() == [before]
    await getattr(house.core, verb)(force=True)
    assert house.pod_launches() != [before]


async def test_a_start_that_cannot_work_says_why(house: House) -> None:
    """The error names the reason; the intent stands, because a registry may come back."""
    house.cluster.behaviours[f"{IMAGE}:2026.11.0"] = Behaviour(pull_error="registry.test: no such host")
    with pytest.raises(CoreStartError, match="no such host"):
        await house.core.start()
    assert house.core.record.intent.wanted is Wanted.RUNNING


async def test_a_new_port_reaches_link_and_service_without_a_restart(house: House) -> None:
    """Core posts its port and TLS: the ConfigMap, both Services and the kubelet follow, the pod stays."""
    await house.core.boot()
    before = house.launch_id
    await house.core.set_options({"port": 8443, "ssl": True, "refresh_token": None})
    config = house.cluster.get("ConfigMap", "core-link")
    service = house.cluster.get("Service", "homeassistant")
    assert config is not None
    assert service is not None
    assert "https://127.0.0.1:8443/" in config["data"]["nginx.conf"]
    ports = {port["port"]: port["targetPort"] for port in service["spec"]["ports"]}
    assert ports == {80: 8443, 8123: 8443, 8443: 8443}
    assert ("touch", "Pod", POD) in house.cluster.calls
    assert house.pod_launches() == [before]
    assert house.core.info()["port"] == 8443


async def test_the_same_port_again_writes_nothing(house: House) -> None:
    """Core posts at every start."""
    await house.core.boot()
    house.cluster.calls.clear()
    await house.core.set_options({"port": 80, "ssl": False})
    assert house.cluster.calls == []


async def test_options_are_kept_while_the_cluster_is_away(house: House) -> None:
    """What Core told is stored; the cluster follows by the loop."""
    await house.core.boot()
    house.cluster.fail("apply", ClusterUnavailableError("the API server is away"))
    await house.core.set_options({"port": 8123})
    assert house.core.record.port == 8123
    async with house.loop():
        await asyncio.sleep(0.05)
    service = house.cluster.get("Service", "homeassistant")
    assert service is not None
    assert service["spec"]["ports"][0]["targetPort"] == 8123


async def test_a_chosen_image_comes_with_the_next_launch(house: House) -> None:
    """An image of the user's replaces the official one; null goes back."""
    await house.core.boot()
    await house.core.set_options({"image": "registry.test/mine"})
    assert house.core.info()["image"] == "registry.test/mine"
    await house.core.rebuild()
    assert house.cluster.pods()[0]["spec"]["containers"][0]["image"] == "registry.test/mine:2026.11.0"
    await house.core.set_options({"image": None})
    assert house.core.info()["image"] == IMAGE


async def test_an_update_pulls_first_and_then_restarts(house: House) -> None:
    """The image is on a node before the old Core ends."""
    await house.core.boot()
    await house.core.switch("2026.11.1")
    assert house.outside.pulled == [f"{IMAGE}:2026.11.1"]
    assert house.cluster.pods()[0]["spec"]["containers"][0]["image"] == f"{IMAGE}:2026.11.1"
    assert house.core.info()["version"] == "2026.11.1"


async def test_an_update_that_never_began_can_be_asked_for_again(house: House) -> None:
    """The API server went away before there was a new launch: the record says what runs."""
    await house.core.boot()
    house.cluster.fail("apply", ClusterUnavailableError("away"))
    with pytest.raises(ClusterUnavailableError):
        await house.core.switch("2026.11.1")
    assert house.core.version == "2026.11.0"
    await house.core.switch("2026.11.1")
    assert house.core.version == "2026.11.1"


async def test_a_newer_version_is_offered(house: House) -> None:
    """What the channel says, and whether it is an update; nothing as long as nobody said one."""
    for latest, shown, update in (
        (None, "2026.11.0", False), ("2026.11.1", "2026.11.1", True), ("2026.10.4", "2026.10.4", False),
    ):  # fmt: skip
        house.outside.latest = latest
        info = house.core.info()
        assert (info["version_latest"], info["update_available"]) == (shown, update)


async def test_a_new_version_that_keeps_ending_is_not_waited_for(house: House) -> None:
    """The quarter of an hour that a start may take is for one that is on its way."""
    await house.core.boot()
    house.cluster.behaviours[f"{IMAGE}:2026.11.1"] = Behaviour(crash_loop=1)
    with pytest.raises(CoreStartError, match="keeps ending with exit code 1"):
        await house.core.switch("2026.11.1")


async def test_a_lost_record_does_not_replace_core(house: House, tmp_path: Path) -> None:
    """With `core.json` gone, the running Core is adopted: same pod, same token."""
    await house.core.boot()
    before, digest = house.launch_id, house.core.record.intent.launch
    (tmp_path / "core.json").unlink()
    after = House(await Records.load(tmp_path), house.cluster)
    await after.prepare()
    await after.core.boot()
    assert after.pod_launches() == [before]
    assert after.core.record.intent.launch is not None
    assert digest is not None
    assert after.core.record.intent.launch.token_digest == digest.token_digest


async def test_the_door_follows_cores_version(house: House) -> None:
    """Today's Core by the socket, older Core by the token it gave; none while there is no pod."""
    assert house.core.door() is None
    await house.core.boot()
    door = house.core.door()
    assert door is not None
    assert (door.address, door.by_token) == (house.core.address(), False)
    await house.core.set_options({"refresh_token": "secret"})
    await house.core.switch("2026.2.3")
    door = house.core.door()
    assert door is not None
    assert (door.by_token, door.refresh_token) == (True, "secret")


async def test_the_links_keys_are_kept(house: House) -> None:
    """A restart of ours reads the same keys; a Secret that somebody broke is made anew under the same authority."""
    first = house.cluster.get("Secret", "core-link-server")
    again = Link(cluster=house.cluster, converge=house.reconciler.converge, site=house.site)
    await again.prepare()
    assert first is not None
    assert again.secrets() == house.link.secrets()
    house.cluster.put({**first, "data": {"tls.crt": "bm9uc2Vuc2U=", "tls.key": "bm9uc2Vuc2U="}})
    await again.prepare()
    by_name = {item["metadata"]["name"]: item["data"] for item in again.secrets()}
    before = {item["metadata"]["name"]: item["data"] for item in house.link.secrets()}
    assert by_name["core-link-ca"] == before["core-link-ca"]
    assert by_name["core-link-server"] != before["core-link-server"]
    assert house.cluster.get("Secret", "core-link-server")["data"] == by_name["core-link-server"]  # type: ignore[index]


async def test_new_keys_reach_a_running_core_at_once(house: House) -> None:
    """Its pod stays and the kubelet is told to look; keys that are kept tell nobody anything."""
    await house.core.boot()
    before = house.launch_id
    for name, told in (("core-link-server", True), ("core-link-ca", True), (None, False)):
        again = Link(cluster=house.cluster, converge=house.reconciler.converge, site=house.site)
        if name is not None:
            secret = house.cluster.get("Secret", name)
            assert secret is not None
            await house.cluster.delete(secret)
        house.cluster.calls.clear()
        await again.prepare()
        assert (("touch", "Pod", POD) in house.cluster.calls) is told, name
    assert house.pod_launches() == [before]
