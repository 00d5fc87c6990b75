"""A version of ours that does not come up: nobody of ours can take it back, so a person does, with kubectl alone."""

import pytest

from .house import Kubectl, Supervisor, becomes

OURS = "app.kubernetes.io/name=supervisor"
NOWHERE = "127.0.0.1:1/supervisor:no-such-version"
"""A registry that refuses at once."""

pytestmark = pytest.mark.timeout(300)


async def others(kubectl: Kubectl) -> set[str]:
    """Identities of Core's and of the add-ons' pods."""
    return {pod["metadata"]["uid"] for pod in await kubectl.pods("io.hass.type in (homeassistant, addon)")}


async def image(kubectl: Kubectl) -> str:
    return await kubectl.run(
        "get", "deployment", "supervisor", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
    )


async def test_a_bad_version_is_undone(supervisor: Supervisor, kubectl: Kubectl, mosquitto: str) -> None:
    """`kubectl rollout undo`: we are back as we were, and neither Core nor an add-on noticed."""
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    before, info, pods = await image(kubectl), (await supervisor.get("/info")).data, await others(kubectl)
    await kubectl.run("set", "image", "deployment/supervisor", f"supervisor={NOWHERE}")
    try:

        async def stuck() -> bool:
            statuses = [one for pod in await kubectl.pods(OURS) for one in pod["status"].get("containerStatuses", ())]
            waiting = [one["state"].get("waiting", {}).get("reason") for one in statuses]
            return waiting in (["ErrImagePull"], ["ImagePullBackOff"])

        await becomes(stuck, what="the version that cannot come up")
        assert await others(kubectl) == pods
    finally:
        await kubectl.run("rollout", "undo", "deployment/supervisor")
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=120s")
    assert await image(kubectl) == before
    await becomes(supervisor.is_up, what="we run again")
    assert (await supervisor.get("/info")).data == info
    assert await others(kubectl) == pods
    assert await supervisor.state(mosquitto) == "started"
    assert (await supervisor.post(f"/addons/{mosquitto}/stop")).status == 200
