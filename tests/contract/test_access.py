"""Who may come in: tokens, their headers, roles, and the plain-text refusals of the middlewares."""

import pytest
import pytest_asyncio
from aiohasupervisor import SupervisorForbiddenError

from tests.contract.house import CLI_TOKEN, Home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    """With an add-on that runs and has no role."""
    await standing.install("core_mosquitto", start=True)
    return standing


async def test_without_a_token(shared: Home) -> None:
    """401 in plain text, also for a path that does not exist."""
    for path in ("/info", "/nowhere"):
        answer = await shared.raw("GET", path, token=None)
        assert (answer.status, answer.text) == (401, "401: Unauthorized")
        assert answer.content_type.startswith("text/plain")


async def test_with_a_wrong_token(shared: Home) -> None:
    """403 in plain text; the client has its class for it."""
    answer = await shared.raw("GET", "/info", token="f" * 112)
    assert (answer.status, answer.text) == (403, "403: Forbidden")
    with pytest.raises(SupervisorForbiddenError):
        await shared.client("f" * 112).info()


async def test_scheme_without_a_token(shared: Home) -> None:
    """The last word of the header is the token, so `Bearer` alone is a wrong one: 403, as upstream."""
    answer = await shared.raw("GET", "/info", token=None, headers={"Authorization": "Bearer"})
    assert answer.status == 403


async def test_stale_token(home: Home) -> None:
    """An add-on's token ends with its launch, Core's with its: after a restart only the new one is good."""
    await home.install("core_mosquitto", start=True)
    stale, stale_core = home.addon_token("core_mosquitto"), home.core_token
    assert (await home.raw("GET", "/addons/self/info", token=stale)).status == 200
    assert (await home.raw("POST", "/addons/core_mosquitto/restart")).status == 200
    assert (await home.raw("GET", "/addons/self/info", token=stale)).status == 403
    assert (await home.raw("GET", "/addons/self/info", token=home.addon_token("core_mosquitto"))).status == 200
    assert (await home.raw("POST", "/core/restart", token=CLI_TOKEN)).status == 200
    assert (await home.raw("GET", "/info", token=stale_core)).status == 403
    assert (await home.raw("GET", "/info")).status == 200


async def test_header_forms(shared: Home) -> None:
    """`X-Supervisor-Token` before `X-Hassio-Key` before the last word of `Authorization`, whatever its scheme."""
    good, bad = shared.core_token, "0" * 112
    for headers in (
        {"X-Supervisor-Token": good, "X-Hassio-Key": bad, "Authorization": bad},
        {"X-Hassio-Key": good, "Authorization": f"Bearer {bad}"},
        {"Authorization": f"Whatever {good}"},
        {"Authorization": good},
    ):
        assert (await shared.raw("GET", "/info", token=None, headers=headers)).status == 200
    refused = {"X-Supervisor-Token": bad, "Authorization": f"Bearer {good}"}
    assert (await shared.raw("GET", "/info", token=None, headers=refused)).status == 403


async def test_open_paths(shared: Home) -> None:
    """Ping and pictures need no token."""
    assert (await shared.raw("GET", "/supervisor/ping", token=None)).data == {}
    for path in ("/addons/core_mosquitto/icon", "/store/addons/core_mosquitto/icon"):
        answer = await shared.raw("GET", path, token=None)
        assert (answer.status, answer.content_type) == (200, "image/png")


async def test_command_line(home: Home) -> None:
    """A person's token may do everything but what is Core's alone."""
    assert (await home.raw("GET", "/supervisor/info", token=CLI_TOKEN)).status == 200
    await home.install("core_mosquitto")
    answer = await home.raw("POST", "/addons/core_mosquitto/sys_options", token=CLI_TOKEN, json={})
    assert (answer.status, answer.text) == (403, "403: Forbidden")
    answer = await home.raw("GET", "/discovery", token=CLI_TOKEN)
    assert (answer.status, answer.text) == (401, "401: Unauthorized")


async def test_addon_without_a_role(shared: Home) -> None:
    """Itself, `/info` and services it may always; the rest needs `hassio_api`."""
    token = shared.addon_token("core_mosquitto")
    for path in ("/addons/self/info", "/addons/self/options/config", "/info", "/services"):
        assert (await shared.raw("GET", path, token=token)).status == 200, path
    for path in ("/addons/core_mosquitto/info", "/supervisor/info", "/addons", "/addons/self/logs/follow"):
        assert (await shared.raw("GET", path, token=token)).status == 403, path


async def test_addon_with_a_role(home: Home) -> None:
    """A manager may start others, and sees their options; protection stays with people."""
    await home.install("core_panel", start=True)
    await home.install("core_mosquitto")
    token = home.addon_token("core_panel")
    assert (await home.raw("GET", "/addons", token=token)).status == 200
    assert (await home.raw("POST", "/addons/core_mosquitto/start", token=token)).status == 200
    assert (await home.raw("GET", "/addons/core_mosquitto/info", token=token)).data["options"]["logins"] == []
    answer = await home.raw("POST", "/addons/core_mosquitto/security", token=token, json={"protected": False})
    assert answer.status == 403


async def test_encoded_slash_grants_nothing(shared: Home) -> None:
    """`…/install/1%2Finfo` looks like a harmless `/…/info` once it is decoded, and is none."""
    token = shared.addon_token("core_mosquitto")
    answer = await shared.raw("POST", "/store/addons/core_panel/install/1%2Finfo", token=token)
    assert answer.status == 403


async def test_malicious_requests(shared: Home) -> None:
    """400 in plain text before anything else, however often it is encoded."""
    for path in (
        "/addons/..%2F..%2Fproc/self/environ",
        "/info?x=%3Cscript%3E",
        "/info?file=/a/b/",
        "/info?q=union%20select%20(1)",
        "/info?q=%252e%252e%252f",
    ):
        answer = await shared.raw("GET", path, token=None)
        assert (answer.status, answer.text) == (400, "400: Bad Request"), path


async def test_before_start_and_during_shutdown(shared: Home) -> None:
    """Everything, even ping, is refused in the envelope until we are starting up."""
    token = shared.core_token
    for state in ("initialize", "setup", "shutdown", "stopping"):
        shared.house.stage.name = state
        answer = await shared.raw("GET", "/supervisor/ping", token=token)
        assert (answer.status, answer.message) == (400, f"System is not ready with state: {state}")
    for state in ("startup", "freeze", "running"):
        shared.house.stage.name = state
        assert (await shared.raw("GET", "/supervisor/ping", token=token)).status == 200


async def test_no_token_in_the_log(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a good nor a refused token is written anywhere."""
    caplog.set_level("DEBUG")
    await home.install("core_mosquitto", start=True)
    await home.raw("GET", "/addons", token=home.addon_token("core_mosquitto"))
    await home.raw("GET", "/info", token="abcdef0123" * 11)
    for secret in (home.core_token, home.addon_token("core_mosquitto"), "abcdef0123" * 11):
        assert secret not in caplog.text
