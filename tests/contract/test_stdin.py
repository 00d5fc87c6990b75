"""`POST /addons/<slug>/stdin`: what programs are told."""

import io

from supervisor_k8s.api.app import LARGEST_BODY
from supervisor_k8s.errors import ClusterUnavailableError, TookTooLongError
from tests.contract.house import Home

BROKER, PANEL = "core_mosquitto", "core_panel"


def pod(home: Home, slug: str) -> str:
    (found,) = home.cluster.pods(io__hass__addon=slug)
    return str(found["metadata"]["name"])


async def test_stdin(home: Home) -> None:
    """The bytes as they were sent, and a line end, reach the program; the add-on may write to itself, too."""
    await home.install(PANEL, start=True)
    await home.client().addons.write_addon_stdin(PANEL, b'{"a": "\xc3\xa4\x00"}')
    answer = await home.raw("POST", "/addons/self/stdin", token=home.addon_token(PANEL), data=b"two\nlines")
    assert answer.data == {}
    assert home.cluster.inputs == {(pod(home, PANEL), "addon"): b'{"a": "\xc3\xa4\x00"}\ntwo\nlines\n'}


async def test_stdin_of_a_program_that_does_not_read(home: Home) -> None:
    """Its manifest decides; what is too long is not even looked at."""
    await home.install(BROKER, start=True)
    answer = await home.raw("POST", f"/addons/{BROKER}/stdin", data=io.BytesIO(bytes(LARGEST_BODY + 1)))
    assert (answer.status, answer.json["error_key"]) == (400, "app_not_supported_write_stdin_error")
    assert answer.message == f"App {BROKER} does not support writing to stdin"
    assert answer.json["extra_fields"] == {"app": BROKER}


async def test_stdin_of_a_program_that_does_not_run(home: Home) -> None:
    """Before its start, after its stop, when it has ended: refused, and nothing is kept for later."""
    await home.install(PANEL)
    path = f"/addons/{PANEL}/stdin"
    await home.raw("POST", f"/addons/{PANEL}/start")
    home.cluster.exit(pod(home, PANEL), "addon", 1)
    for verb in ("", "stop"):
        if verb:
            await home.raw("POST", f"/addons/{PANEL}/{verb}")
        answer = await home.raw("POST", path, data=b"x")
        assert (answer.status, answer.json["error_key"]) == (400, "app_not_running_error")
        assert answer.message == f"App {PANEL} is not running"
    assert home.cluster.inputs == {}


async def test_stdin_has_bounds(home: Home) -> None:
    """A body of 16 MiB goes through, a longer one is too large; a program that does not take it is said to."""
    await home.install(PANEL, start=True)
    path = f"/addons/{PANEL}/stdin"
    assert (await home.raw("POST", path, data=io.BytesIO(bytes(LARGEST_BODY)))).data == {}
    assert (await home.raw("POST", path, data=io.BytesIO(bytes(LARGEST_BODY + 1)))).status == 413
    home.cluster.fail("write_stdin", TookTooLongError("The program has not read its input within 20 seconds"))
    answer = await home.raw("POST", path, data=b"x")
    assert (answer.status, answer.message) == (400, "The program has not read its input within 20 seconds")
    home.cluster.fail("write_stdin", ClusterUnavailableError("The API server does not answer"))
    assert (await home.raw("POST", path, data=b"x")).status == 503
