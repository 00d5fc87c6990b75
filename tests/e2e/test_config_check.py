"""Core's configuration checked on a real node by the real Core, and a restart of ourselves."""

from collections.abc import AsyncIterator

import pytest

from .house import Kubectl, Supervisor, becomes

FILE = "/data/homeassistant/configuration.yaml"
SAVED = "/data/homeassistant/configuration.yaml.before-the-test"
CANDIDATE = "/data/share/e2e-candidate"

pytestmark = pytest.mark.timeout(600)


async def shell(kubectl: Kubectl, script: str) -> str:
    """Run in the Supervisor's pod, which has the whole volume."""
    return await kubectl.run("exec", "deployment/supervisor", "--", "sh", "-c", script)


async def nothing_stays(kubectl: Kubectl) -> None:
    """The Job and its pod are gone; their ends may take a moment."""

    async def gone() -> bool:
        return await kubectl.run("get", "pods,jobs", "-l", "io.hass.type=one-off", "-o", "name") == ""

    await becomes(gone, what="nothing of the check is left")


@pytest.fixture
async def broken(kubectl: Kubectl) -> AsyncIterator[None]:
    """A live configuration that Core cannot read; Core itself is left alone."""
    await shell(kubectl, f"cp -p {FILE} {SAVED} && printf 'automation: [\\n' > {FILE}")
    yield
    await shell(kubectl, f"mv {SAVED} {FILE}")


@pytest.fixture
async def candidate(kubectl: Kubectl) -> AsyncIterator[str]:
    """Next to the live configuration, as a commit of it would be: one file of it changed, one new."""
    await shell(kubectl, f"mkdir -p {CANDIDATE}/packages && cp {FILE} {CANDIDATE}/configuration.yaml")
    package = "input_boolean:\\n  e2e: {}\\n"
    await shell(kubectl, f"printf '{package}' > {CANDIDATE}/packages/e2e.yaml")
    yield CANDIDATE.removeprefix("/data/")
    await shell(kubectl, f"rm -rf {CANDIDATE}")


async def test_a_good_configuration(supervisor: Supervisor, kubectl: Kubectl) -> None:
    """The files that Core runs with."""
    answer = await supervisor.post("/core/check")
    assert (answer.status, answer.body["result"]) == (200, "ok"), answer
    await nothing_stays(kubectl)


async def test_a_broken_configuration(supervisor: Supervisor, kubectl: Kubectl, broken: None) -> None:
    """What Core's checker says is the message; nothing of the files is changed by it."""
    answer = await supervisor.post("/core/check")
    assert answer.status == 400, answer
    assert "Failed config" in answer.body["message"]
    assert "configuration.yaml" in answer.body["message"]
    assert "\x1b" not in answer.body["message"]
    await nothing_stays(kubectl)


async def test_a_candidate(supervisor: Supervisor, kubectl: Kubectl, candidate: str) -> None:
    """Good as it is; with a mistake it is refused by its key, and the live configuration stays what it is."""
    before = await shell(kubectl, f"cat {FILE}")
    answer = await supervisor.post("/core/check", directory=candidate)
    assert answer.status == 200, answer
    await shell(kubectl, f"printf '\\nno_such_integration_e2e:\\n' >> {CANDIDATE}/configuration.yaml")
    answer = await supervisor.post("/core/check", directory=candidate)
    assert (answer.status, answer.body.get("error_key")) == (400, "homeassistant_candidate_invalid_error"), answer
    assert answer.body["extra_fields"]["errors"] == []
    (warning,) = answer.body["extra_fields"]["warnings"]
    assert "no_such_integration_e2e" in warning
    await shell(kubectl, f"ln -s /etc/passwd {CANDIDATE}/packages/out.yaml")
    answer = await supervisor.post("/core/check", directory=candidate)
    assert answer.status == 400
    assert "leads out of the candidate" in answer.body["message"]
    assert await shell(kubectl, f"cat {FILE}") == before
    await nothing_stays(kubectl)


async def test_our_restart(supervisor: Supervisor, kubectl: Kubectl) -> None:
    """Another pod, by a rollout of our Deployment that says when; Core's pod stays."""
    ours = "app.kubernetes.io/name=supervisor"
    before = (await kubectl.pod(ours))["metadata"]["uid"]
    core = (await kubectl.json("get", "pod", "homeassistant-0"))["metadata"]["uid"]
    assert (await supervisor.post("/supervisor/restart")).status == 200

    async def back() -> bool:
        pods = [pod for pod in await kubectl.pods(ours) if "deletionTimestamp" not in pod["metadata"]]
        another = [pod["metadata"]["uid"] for pod in pods] not in ([], [before])
        return another and await supervisor.answers() and (await supervisor.get("/info")).status == 200

    await becomes(back, what="another pod of ours that answers", within=180)
    template = (await kubectl.json("get", "deployment", "supervisor"))["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert (await kubectl.json("get", "pod", "homeassistant-0"))["metadata"]["uid"] == core


async def test_the_self_check_as_an_update_runs_it(kubectl: Kubectl) -> None:
    """In our own pod, with its account, volumes and settings: this version can take over what it has."""
    assert await kubectl.run("exec", "deployment/supervisor", "--", "python3", "-m", "supervisor_k8s", "--check") == ""
