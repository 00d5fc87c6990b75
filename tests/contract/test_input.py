"""Bodies: what is no JSON, has too much, or is of the wrong kind; and what goes wrong inside."""

import asyncio
import io
import logging
from typing import Any

import pytest

from tests.contract.house import Home

MISFITS: list[tuple[str, Any, str]] = [
    ("/supervisor/options", {"foo": 1}, "extra keys not allowed @ data['foo']. Got 1"),
    ("/store/repositories", {}, "required key not provided @ data['repository']. Got None"),
    ("/store/repositories", {"repository": 5}, "expected str for dictionary value @ data['repository']. Got 5"),
    ("/core/options", {"port": "many"}, "expected int for dictionary value @ data['port']. Got 'many'"),
    ("/core/options", {"port": 0}, "value must be at least 1 for dictionary value @ data['port']. Got 0"),
    ("/supervisor/options", [1], "expected a dictionary. Got [1]"),
    ("/core/update", {"backup": "yes"}, "expected bool for dictionary value @ data['backup']. Got 'yes'"),
    ("/supervisor/options", {"channel": "x"}, "value must be one of ['beta', 'dev', 'stable'] for dictionary "),
    ("/core/options", {"image": "example.test/core\n"}, "not a valid value for dictionary value @ data['image']"),
    ("/addons/core_nobody/options", {"network": {"80/tcp\n": 80}}, "does not match regular expression "),
    ("/supervisor/options", {"timezone": "Mars/Base"}, "not a time zone"),
    ("/supervisor/options", {"timezone": "../../etc/passwd"}, "expected the name of a time zone"),
    ("/supervisor/options", {"feature_flags": {"wings": True}}, "Unknown feature flag: wings"),
]
"""Path, body, and how the message begins."""


async def test_body_that_is_no_json(shared: Home) -> None:
    """400 with upstream's text."""
    for body in (b"{", b"no json", b"\xff\xfe", b"{'a': 1}", b"[" * 100_000):
        answer = await shared.raw("POST", "/supervisor/options", data=body)
        assert (answer.status, answer.message) == (400, "Invalid json")


async def test_body_that_does_not_fit(shared: Home) -> None:
    """400 with voluptuous' own sentence, as upstream's clients know it."""
    for path, body, message in MISFITS:
        answer = await shared.raw("POST", path, json=body)
        assert answer.status == 400
        assert answer.message.startswith(message)
        assert "error_key" not in answer.json


async def test_several_faults_are_all_named(shared: Home) -> None:
    """One line for each."""
    answer = await shared.raw("POST", "/supervisor/options", json={"a": 1, "b": 2})
    assert sorted(answer.message.split("\n")) == [
        "extra keys not allowed @ data['a']. Got 1",
        "extra keys not allowed @ data['b']. Got 2",
    ]


async def test_empty_body_is_an_empty_object(home: Home) -> None:
    """No body, `{}` and white space are the same; Content-Type does not matter."""
    ways: list[dict[str, Any]] = [
        {}, {"json": {}}, {"data": b" \n"}, {"data": b"{}", "headers": {"Content-Type": "text/plain"}},
    ]  # fmt: skip
    for options in ways:
        assert (await home.raw("POST", "/supervisor/options", **options)).data == {}


async def test_get_may_have_a_body(shared: Home) -> None:
    """Bashio and Core's websocket send `{}` with a GET."""
    assert (await shared.raw("GET", "/info", json={})).data["supervisor"] == "2026.11.0"
    assert (await shared.raw("GET", "/store/repositories", json={})).status == 200


async def test_body_that_is_too_large(shared: Home) -> None:
    """413 in plain text, and the next request is answered."""
    answer = await shared.raw("POST", "/supervisor/options", data=io.BytesIO(b"x" * (16 * 1024 * 1024 + 1)))
    assert answer.status == 413
    assert (await shared.raw("GET", "/info")).status == 200


async def test_unknown_path_and_wrong_method(shared: Home) -> None:
    """404 and 405 in plain text."""
    answer = await shared.raw("GET", "/nowhere")
    assert (answer.status, answer.text) == (404, "404: Not Found")
    answer = await shared.raw("DELETE", "/info")
    assert (answer.status, answer.text) == (405, "405: Method Not Allowed")


async def test_head_is_answered_like_get(shared: Home) -> None:
    """Every GET answers HEAD too, without a body."""
    answer = await shared.raw("HEAD", "/info")
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize("error", [ZeroDivisionError, ConnectionRefusedError])
async def test_defect_of_ours(home: Home, caplog: pytest.LogCaptureFixture, error: type[Exception]) -> None:
    """A bare 500 without a trace for the client; one log entry with the trace for us. A connection that was refused to
    us is not the client's.
    """

    def broken(_: object) -> None:
        raise error

    home.house.services.preferences.changed.connect(broken)
    with caplog.at_level(logging.ERROR):
        answer = await home.raw("POST", "/supervisor/options", json={"country": "NL"})
    assert (answer.status, answer.text) == (500, "500: Internal Server Error")
    assert answer.content_type.startswith("text/plain")
    (entry,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert entry.exc_info
    assert error.__name__ in caplog.text


async def test_client_that_hangs_up(home: Home) -> None:
    """The operation goes on without who asked for it."""
    await home.install("core_mosquitto")
    home.cluster.slow_stop = True
    await home.raw("POST", "/addons/core_mosquitto/start")
    (pod,) = home.cluster.pods(io__hass__addon="core_mosquitto")
    stopping = asyncio.ensure_future(home.raw("POST", "/addons/core_mosquitto/stop"))
    await home.cluster.stopping(pod["metadata"]["name"])
    stopping.cancel()
    home.cluster.end(pod["metadata"]["name"])
    async with asyncio.timeout(5):
        while (await home.raw("GET", "/jobs/info")).data["jobs"]:
            await asyncio.sleep(0.01)
    assert (await home.client().addons.addon_info("core_mosquitto")).state == "stopped"


async def test_many_at_once(shared: Home) -> None:
    """A thousand requests in parallel are all answered, good and bad ones each as if they were alone."""
    asked = {
        ("GET", "/supervisor/ping"): 200,
        ("GET", "/info"): 200,
        ("GET", "/addons/core_nobody/info"): 404,
        ("GET", "/nowhere"): 404,
        ("DELETE", "/info"): 405,
    }
    answers = await asyncio.gather(*(shared.raw(*one) for one in [*asked] * 200))
    assert [answer.status for answer in answers] == [*asked.values()] * 200
