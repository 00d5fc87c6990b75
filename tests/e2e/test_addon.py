"""One real add-on, from the store to a message that changes an entity."""

import json
import shutil

from tests.cluster import paths

from .house import Core, Kubectl, Supervisor, becomes, is_ready

NAME = "addon-core-mosquitto"
PODS = "io.hass.addon=core_mosquitto"


async def test_start_makes_what_kubectl_is_expected_to_show(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str
) -> None:
    """Deployment, Service and launch Secret carry the documented names; `started` is told only of a ready pod."""
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    assert await supervisor.state(mosquitto) == "started"
    deployment = await kubectl.json("get", "deployment", NAME)
    pod = await kubectl.pod(PODS)
    launch = pod["metadata"]["labels"]["io.hass.launch"]
    containers = {item["name"]: item for item in pod["spec"]["containers"]}
    assert {"addon", "hold"} == set(containers)
    assert containers["addon"]["restartPolicy"] == "Never"
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    assert deployment["spec"]["template"]["spec"]["schedulingGates"] == [{"name": "hass.io/one-at-a-time"}]
    assert pod["spec"]["hostname"] == "core-mosquitto"
    assert is_ready(pod)
    assert set((await kubectl.json("get", "secret", f"{NAME}-{launch}"))["data"]) == {"token"}
    ports = {port["port"] for port in (await kubectl.json("get", "service", NAME))["spec"]["ports"]}
    assert {1883, 1884, 8883, 8884} <= ports
    paths = {mount.get("subPath") for mount in containers["addon"]["volumeMounts"]}
    assert {f"addons/data/{mosquitto}", "ssl", "share"} <= paths


async def test_stop_leaves_no_pod_and_no_token(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """After `stop` the pod and its Secret are gone and the state is `stopped`."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    launch = (await kubectl.pod(PODS))["metadata"]["labels"]["io.hass.launch"]
    assert (await supervisor.post(f"/addons/{mosquitto}/stop")).status == 200
    assert [] == await kubectl.pods(PODS)
    assert await supervisor.state(mosquitto) == "stopped"
    assert "NotFound" in await _missing(kubectl, f"{NAME}-{launch}")


async def test_others_reach_it_by_its_host_name(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """Core resolves and reaches the broker as `core-mosquitto`."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    script = "import socket;socket.create_connection(('core-mosquitto',1883),10).close();print('reached')"

    async def reached() -> bool:
        out = await kubectl.run(
            "exec", "homeassistant-0", "-c", "homeassistant", "--", "python3", "-c", script, check=False
        )
        return "reached" in out

    await becomes(reached, what="core-mosquitto:1883 from Core's pod")


async def test_the_whole_life_through_cores_websocket(core: Core, supervisor: Supervisor, mosquitto: str) -> None:
    """The frontend's way: start, options, stop, uninstall and install by `supervisor/api` with an admin's token."""
    async with core.socket() as socket:
        await socket.supervisor("post", f"/addons/{mosquitto}/start")
        assert (await socket.supervisor("get", f"/addons/{mosquitto}/info"))["state"] == "started"
        await socket.supervisor("post", f"/addons/{mosquitto}/options", {"boot": "manual"})
        assert (await socket.supervisor("get", f"/addons/{mosquitto}/info"))["boot"] == "manual"
        await socket.supervisor("post", f"/addons/{mosquitto}/stop")
        await socket.supervisor("post", f"/addons/{mosquitto}/uninstall", {"remove_config": False})
        slugs = [addon["slug"] for addon in (await socket.supervisor("get", "/addons")).get("addons", [])]
        assert mosquitto not in slugs
        await socket.supervisor("post", f"/store/addons/{mosquitto}/install", {})
        assert (await socket.supervisor("get", f"/addons/{mosquitto}/info"))["boot"] == "auto"


async def test_uninstall_leaves_nothing_in_the_cluster(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str
) -> None:
    """No object with the add-on's label outlives it."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    assert (await supervisor.post(f"/addons/{mosquitto}/uninstall")).status == 200

    async def none_left() -> bool:
        left = await kubectl.json("get", "deployments,services,secrets,pods,jobs", "-l", PODS)
        return not left["items"]

    await becomes(none_left, what="nothing left of the add-on")


async def test_invalid_options_start_nothing(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """Options that the schema refuses are refused when saved, with the key, and nothing runs."""
    options = (await supervisor.get(f"/addons/{mosquitto}/info")).data["options"] | {"require_certificate": "perhaps"}
    refused = await supervisor.post(f"/addons/{mosquitto}/options", options=options)
    assert refused.status == 400
    assert "require_certificate" in refused.body["message"]
    assert [] == await kubectl.pods(PODS)


async def test_an_addon_knows_itself_by_its_own_token(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """From its pod, `http://supervisor/addons/self/info` answers its token with its own slug and its pod's address."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    script = (
        "import os,urllib.request as u;"
        "r=u.Request('http://supervisor/addons/self/info',"
        "headers={'Authorization':'Bearer '+os.environ['SUPERVISOR_TOKEN']});"
        "print(u.urlopen(r,timeout=10).read().decode())"
    )
    out = await kubectl.run("exec", f"deployment/{NAME}", "-c", "addon", "--", "python3", "-c", script)
    data = json.loads(out)["data"]
    assert data["slug"] == mosquitto
    assert data["ip_address"] == (await kubectl.pod(PODS))["status"]["podIP"]


async def test_an_image_that_cannot_be_pulled_is_named(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Installing an add-on whose image does not exist fails with the image in the message and leaves nothing."""
    image = "docker.io/nobody/there-is-no-such-image"
    folder = paths.from_environment().volumes / "shared" / "addons" / "local" / "ghost"
    manifest = {
        "name": "Ghost", "version": "1.0", "slug": "ghost", "description": "Its image does not exist",
        "arch": ["amd64", "aarch64"], "image": image,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / "config.json").write_text(json.dumps(manifest))
        assert (await supervisor.post("/store/reload")).status == 200
        answer = await supervisor.post("/store/addons/local_ghost/install")
    finally:
        shutil.rmtree(folder)
        await supervisor.post("/store/reload")
    assert answer.status == 400
    assert f"{image}:1.0" in answer.body["message"]
    assert [] == (await kubectl.json("get", "all,secrets", "-l", "io.hass.addon=local_ghost"))["items"]

    async def pull_pods_gone() -> bool:
        return not await kubectl.pods("io.hass.type=image-pull")

    await becomes(pull_pods_gone, what="no pull pod is left")


async def test_a_message_changes_an_entity(
    core: Core, kubectl: Kubectl, supervisor: Supervisor, mosquitto: str
) -> None:
    """MQTT is discovered by Core, set up over Core's API, and a published message changes a sensor's state."""
    assert (await supervisor.post(f"/addons/{mosquitto}/uninstall")).status == 200
    await _forget_mqtt(core)
    assert (await supervisor.post(f"/store/addons/{mosquitto}/install")).status == 200
    user = {"username": "meter", "password": "reads-the-meter"}
    options = (await supervisor.get(f"/addons/{mosquitto}/info")).data["options"] | {"logins": [user]}
    assert (await supervisor.post(f"/addons/{mosquitto}/options", options=options)).status == 200
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    await _set_up_mqtt(core)
    config = '{"name":"Meter","unique_id":"meter-1","state_topic":"house/meter"}'
    await _publish(kubectl, "homeassistant/sensor/meter/config", config)

    async def state() -> bool:
        await _publish(kubectl, "house/meter", "42")
        states = {item["entity_id"]: item["state"] for item in await core.get("/api/states")}
        return states.get("sensor.meter") == "42"

    await becomes(state, what="sensor.meter is 42")


async def _flows(core: Core) -> list[str]:
    async with core.socket() as socket:
        flows = (await socket.command("config_entries/flow/progress"))["result"]
    return [flow["flow_id"] for flow in flows if flow["handler"] == "mqtt"]


async def _forget_mqtt(core: Core) -> None:
    """An earlier installation's flow or entry holds a password that died with it."""
    for flow in await _flows(core):
        await core.delete(f"/api/config/config_entries/flow/{flow}")
    for entry in await core.get("/api/config/config_entries/entry?domain=mqtt"):
        await core.delete(f"/api/config/config_entries/entry/{entry['entry_id']}")


async def _set_up_mqtt(core: Core) -> None:
    """Finish the flow that Core began because of the add-on's discovery message."""

    async def discovered() -> list[str]:
        return await _flows(core)

    flow = (await becomes(discovered, what="Core's discovery flow for MQTT"))[0]

    async def submitted() -> bool:
        # A name may be up to two seconds younger than its add-on: as a person would, submit once more.
        answer = await core.post(f"/api/config/config_entries/flow/{flow}")
        assert answer["type"] == "create_entry" or answer["errors"] == {"base": "cannot_connect"}, answer
        return bool(answer["type"] == "create_entry")

    await becomes(submitted, what="Core connects to the broker by its name")

    async def loaded() -> bool:
        entries = await core.get("/api/config/config_entries/entry?domain=mqtt")
        return [entry["state"] for entry in entries] == ["loaded"]

    await becomes(loaded, what="the MQTT entry is loaded")


async def _publish(kubectl: Kubectl, topic: str, payload: str) -> None:
    command = [
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-u",
        "meter",
        "-P",
        "reads-the-meter",
        "-r",
        "-t",
        topic,
        "-m",
        payload,
    ]
    await kubectl.run("exec", f"deployment/{NAME}", "-c", "addon", "--", *command)


async def _missing(kubectl: Kubectl, name: str) -> str:
    async def look() -> str:
        names = [item["metadata"]["name"] for item in (await kubectl.json("get", "secrets"))["items"]]
        return "" if name in names else "NotFound"

    return await becomes(look, what=f"Secret {name} is gone")
