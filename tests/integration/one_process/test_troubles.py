"""What is wrong with add-ons and stores, from the fault to its end: by itself, by a suggestion, or dismissed."""

import shutil
from typing import Any

import pytest

from supervisor_k8s.model import naming
from supervisor_k8s.model.issue import Cause, Context, Fault
from tests.contract.house import Home
from tests.contract.issues import BROKER, appears, apply, issues, reload, state, vanish, write
from tests.fakes import Behaviour
from tests.integration.one_process.test_notices import CREATE, DISMISS, hears

IMAGE = "example.test/amd64-app-mosquitto:7.1.0"
NOWHERE = "git://127.0.0.1:9/nowhere"


async def fails_to_boot(home: Home) -> dict[str, Any]:
    """Its node restarts while its image cannot be had."""
    await home.install(BROKER, start=True)
    home.cluster.behaviours[IMAGE] = Behaviour(pull_error="no such host")
    home.cluster.exit(broker_pod(home), naming.HOLD_CONTAINER, 0)
    return await appears(home, "boot_fail", "addon", BROKER)


def broker_pod(home: Home) -> str:
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: BROKER})
    return str(pod["metadata"]["name"])


async def test_boot_fails_and_is_tried_again(home: Home) -> None:
    """The suggestion starts it; as long as that fails, the issue stays."""
    issue = await fails_to_boot(home)
    assert await apply(home, issue, "execute_start") == 400
    assert ("boot_fail", "addon", BROKER) in await issues(home)
    del home.cluster.behaviours[IMAGE]
    assert await apply(home, issue, "execute_start") == 200
    assert await state(home) == "started"
    assert await issues(home) == {}


async def test_boot_fails_and_is_given_up(home: Home) -> None:
    """The other suggestion: it is not to come up by itself any more."""
    issue = await fails_to_boot(home)
    assert await apply(home, issue, "disable_boot") == 200
    assert (await home.raw("GET", f"/addons/{BROKER}/info")).data["boot"] == "manual"
    assert ("boot_fail", "addon", BROKER) not in await issues(home)


async def test_boot_fails_and_the_user_chooses_manual(home: Home) -> None:
    """By the add-on's own page, the same."""
    await fails_to_boot(home)
    assert (await home.raw("POST", f"/addons/{BROKER}/options", json={"boot": "manual"})).status == 200
    assert ("boot_fail", "addon", BROKER) not in await issues(home)


async def test_out_of_memory(home: Home) -> None:
    """Told in words as a notification; a restart is suggested, does it, and takes both away."""
    await home.install(BROKER, start=True)
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    live = home.cluster.get("Pod", broker_pod(home))
    assert live is not None
    statuses = [
        {**status, "ready": False, "state": killed} if status["name"] == naming.ADDON_CONTAINER else status
        for status in live["status"]["containerStatuses"]
    ]
    home.cluster.set_status("Pod", broker_pod(home), containerStatuses=statuses)
    issue = await appears(home, "fatal_error", "addon", BROKER)
    assert issue["reference_extra"] == {"reason": "out_of_memory"}
    (told,) = await hears(home, CREATE, 1)
    assert (told["notification_id"], "more memory" in told["message"]) == (issue["uuid"], True)
    assert await apply(home, issue, "execute_restart") == 200
    assert await state(home) == "started"
    await vanish(home)
    assert await hears(home, DISMISS, 1) == [{"notification_id": issue["uuid"]}]


async def test_missing_image(home: Home) -> None:
    """The suggestion pulls it first: when that fails nothing is touched, else the add-on is started anew."""
    await home.install(BROKER, start=True)
    before = broker_pod(home)
    home.house.services.resolution.report(Fault(Cause.MISSING_IMAGE, Context.ADDON, BROKER))
    issue = await appears(home, "missing_image", "addon", BROKER)
    home.cluster.behaviours[IMAGE] = Behaviour(pull_error="no such host")
    assert await apply(home, issue, "execute_repair") == 400
    assert broker_pod(home) == before
    del home.cluster.behaviours[IMAGE]
    assert await apply(home, issue, "execute_repair") == 200
    assert (broker_pod(home) != before, await state(home)) == (True, "started")
    assert await issues(home) == {}


async def test_an_addon_that_its_store_does_not_offer_any_more(home: Home) -> None:
    """Raised when the store is read; the suggestion removes it."""
    write(home, "mine")
    write(home, "other")
    await reload(home)
    await home.install("local_mine")
    shutil.rmtree(home.share / "addons" / "local" / "mine")
    await reload(home)
    issue = await appears(home, "detached_addon_removed", "addon", "local_mine")
    assert await apply(home, issue, "execute_remove") == 200
    assert (await home.raw("GET", "/addons")).data["addons"] == []
    assert await issues(home) == {}


async def test_a_deprecated_addon(home: Home) -> None:
    """Dismissed it stays so, until somebody wants everything looked at anew, or it is gone."""
    write(home, "mine", stage="deprecated")
    await reload(home)
    await home.install("local_mine")
    await reload(home)
    key = ("deprecated_addon", "addon", "local_mine")
    issue = await appears(home, *key)
    assert (await home.raw("DELETE", f"/resolution/issue/{issue['uuid']}")).status == 200
    await home.house.services.resolution.look()
    assert await issues(home) == {}
    for path in ("/resolution/healthcheck", "/resolution/check/deprecated_addon/run"):
        assert (await home.raw("POST", path)).status == 200
        issue = (await issues(home))[key]
        assert (await home.raw("DELETE", f"/resolution/issue/{issue['uuid']}")).status == 200
    assert (await home.raw("POST", "/addons/local_mine/uninstall")).status == 200
    assert (await home.raw("POST", "/resolution/healthcheck")).status == 200
    assert await issues(home) == {}


@pytest.mark.parametrize("cure", ["execute_reload", "execute_remove"])
async def test_a_store_that_cannot_be_fetched(home: Home, cure: str) -> None:
    """Added once and not on the disk: to fetch it fails as before, and the issue stays; to remove it does."""
    await home.house.records.save_repositories((NOWHERE,))
    await reload(home)
    ((key, issue),) = (await issues(home)).items()
    assert key[:2] == ("fatal_error", "store")
    assert issue["reference_extra"]["reason"] == "store_not_loaded"
    assert await apply(home, issue, cure) == {"execute_reload": 400, "execute_remove": 200}[cure]
    assert len(await issues(home)) == {"execute_reload": 1, "execute_remove": 0}[cure]


async def test_a_store_that_is_no_better_when_it_is_cloned_anew(home: Home, store: str) -> None:
    """The suggestion is done, and the issue stays, for its cause does."""
    assert (await home.raw("POST", "/store/repositories", json={"repository": f"{store}/broken"})).status == 200
    ((key, issue),) = (await issues(home)).items()
    assert key[:2] == ("corrupt_repository", "store")
    assert await apply(home, issue, "execute_reset") == 200
    assert (await issues(home))[key]["uuid"] == issue["uuid"]
    assert await apply(home, issue, "execute_remove") == 200
    assert await issues(home) == {}


async def test_a_dismissed_fault_that_comes_again(home: Home) -> None:
    """Is told: it was gone meanwhile."""
    for _ in range(2):
        write(home, "mine", name=[])
        await reload(home)
        issue = await appears(home, "corrupt_repository", "store", "local")
        assert (await home.raw("DELETE", f"/resolution/issue/{issue['uuid']}")).status == 200
        await reload(home)
        assert await issues(home) == {}
        write(home, "mine")
        await reload(home)


async def test_a_right_that_the_cluster_does_not_grant(home: Home) -> None:
    """Named, until it is granted; the check can be switched off by who does not want to grant it."""
    home.cluster.lacking = ["list events", "get pods/log"]
    assert (await home.raw("POST", "/resolution/check/rights/run")).status == 200
    ((key, issue),) = (await issues(home)).items()
    assert key == ("fatal_error", "supervisor", None)
    assert issue["reference_extra"] == {"reason": "rights_missing", "message": "list events, get pods/log"}
    home.cluster.lacking = []
    assert (await home.raw("POST", "/resolution/healthcheck")).status == 200
    assert await issues(home) == {}


async def test_a_configuration_that_was_left_half_done(home: Home) -> None:
    """What could not be ended before Core began is told in its own words, until a start that finds all well."""
    left = {"name": "before-core", "state": {"terminated": {"exitCode": 0, "message": "plan.json is damaged"}}}
    home.cluster.set_status("Pod", "homeassistant-0", initContainerStatuses=[left])
    issue = await appears(home, "corrupt_filesystem", "core", None)
    assert issue["reference_extra"] == {"reason": "switch_left_open", "message": "plan.json is damaged"}
    (told,) = await hears(home, CREATE, 1)
    assert told["message"].endswith("before Home Assistant started. plan.json is damaged")
    assert (await home.raw("POST", "/core/restart")).status == 200
    await vanish(home)
