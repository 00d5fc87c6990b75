"""Clients that nobody wrote in good faith, byte by byte on the wire: each gets an answer or an end, and no more."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from yarl import URL

from supervisor_k8s.api.app import create_app
from supervisor_k8s.api.listen import Patience, serve
from tests.contract.house import CLI_TOKEN, Home
from tests.free_ports import free_port

PATHS = (
    "/addons/core_mosquitto%2finfo",
    "/addons%2finfo",
    "//info",
    "/info/",
    "/./info",
    "/../info",
    "/%2e%2e/info",
    "/%252e%252e%252finfo",
    "/supervisor/ping/..%2f..%2finfo",
    "/supervisor/ping%00",
    "/supervisor/ping%0d%0aX-More:%20yes",
    "/addons/%00/info",
    "/addons/a%0ab/info",
    "/addons/..%5c..%5cetc/info",
    "/addons/%ff%fe/info",
    "/addons/%f0%9f%92%a9/info",
    "/addons/self%2f..%2fcore_mosquitto/info",
    "/store/addons/..%2f..%2fetc%2fpasswd/icon",
    "/store/addons/core_mosquitto/..%2fREADME.md",
    "/core/logs/boots/%00",
    "/core/logs/boots/99999999999999999999",
    "/core/logs/boots/-0",
    "/host/disks/..%2fdefault/usage",
    "/jobs/%7b%7d",
    "/discovery/%25s",
    "/openapi.json/",
    "/openapi.json%20",
    "/" + "a" * 7000,
    "/info?" + "a=b&" * 1500,
)
PING = b"GET /supervisor/ping HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /supervisor/options HTTP/1.1\r\nHost: a\r\nX-Supervisor-Token: " + CLI_TOKEN.encode() + b"\r\n"


async def said(address: str, sent: bytes, *, leave: bool = False) -> bytes:
    """Send this on a connection of its own, and read until its end; or leave at once."""
    url = URL(address)
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(sent)
        await writer.drain()
        answer = b"" if leave else await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("token", [None, CLI_TOKEN, "0" * 64])
async def test_paths(shared: Home, token: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is done to a path, it leads to no more than the plain one does, and to nothing of ours that breaks."""
    for path in PATHS:
        headers = {} if token is None else {"X-Supervisor-Token": token}
        async with shared.http.get(URL(shared.url + path, encoded=True), headers=headers) as reply:
            assert reply.status in ({200, 400, 401, 404} if token == CLI_TOKEN else {400, 401, 403, 404}), path
            assert "Traceback" not in await reply.text(errors="replace")
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR] == []


async def test_headers_about_a_way_here_grant_nothing(shared: Home) -> None:
    """Who forwards, from where and for whom is not believed."""
    headers = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "supervisor",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/supervisor/ping",
        "X-Original-URL": "/supervisor/ping",
        "X-Rewrite-URL": "/supervisor/ping",
        "X-HTTP-Method-Override": "POST",
        "Forwarded": "for=127.0.0.1;host=supervisor",
        "X-Remote-User-Id": "1",
        "X-Real-IP": "127.0.0.1",
    }
    assert (await shared.raw("GET", "/info", token=None, headers=headers)).status == 401
    answer = await shared.raw("GET", "/supervisor/options", token=CLI_TOKEN, headers=headers)
    assert (answer.status, answer.text) == (405, "405: Method Not Allowed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Authorization: Bearer GOOD", "Authorization: Bearer bad"], {200, 400}),
        (["Authorization: Bearer bad", "Authorization: Bearer GOOD"], {400, 403}),
        (["X-Supervisor-Token: bad", "Authorization: Bearer GOOD"], {403}),
        (["X-Supervisor-Token: bad", "X-Supervisor-Token: GOOD"], {400, 403}),
        (["Authorization: Bearer bad, Bearer GOOD"], {200}),
        (["Authorization: Bearer GOOD "], {200}),
        (["Authorization: " + "a" * 8000], {403}),
        (["Authorization: " + "a" * 20000], {400}),
        (["Authorization: Bearer \xff\xfe"], {403}),
        (["X-Supervisor-Token: \xe9"], {403}),
        (["Authorization: Bearer GOOD\x00"], {400}),
        (["Authorization : Bearer GOOD"], {400}),
        (["Authorization: Bearer bad\r\n GOOD"], {400, 403}),
        ([f"X-{number}: 1" for number in range(500)], {400}),
    ],
)
async def test_tokens(shared: Home, headers: list[str], status: set[int], caplog: pytest.LogCaptureFixture) -> None:
    """The first header counts; what is no header at all is no request. The log has no token in any case."""
    lines = "\r\n".join(headers).replace("GOOD", CLI_TOKEN).encode("latin-1")
    answer = await said(shared.url, b"GET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n\r\n")
    assert int(answer.split()[1]) in status, answer
    assert b"Traceback" not in answer
    assert CLI_TOKEN not in caplog.text
    assert [entry for entry in caplog.records if entry.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /info HTTP/9.9\r\n\r\n",
        PING + b"Content-Length: -1\r\n\r\n",
        PING + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        PING + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        POST + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Connection: close\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Connection: close\r\nContent-Length: 1\r\n\r\n\x00",
    ],
)
async def test_what_is_no_http(shared: Home, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered with 400, if at all. Our log is not filled with it, and the next client is served."""
    answer = await said(shared.url, sent + (b"" if b"POST" in sent or b"Content-" in sent else b"\r\n\r\n"))
    assert answer == b"" or b" 400 " in answer.partition(b"\r\n")[0], answer
    assert b"Traceback" not in answer
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR] == []
    assert (await shared.raw("GET", "/info")).status == 200


async def test_a_small_body_that_is_a_large_one(shared: Home) -> None:
    """What counts is what comes out of it."""
    body = gzip.compress(b" " * (64 * 1024 * 1024))
    head = POST + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert (await said(shared.url, head + body)).split()[1] == b"413"


async def test_clients_that_leave_in_the_middle(shared: Home, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of a head, of a body, of a chunk: nobody is told, and nothing has gone wrong."""
    for sent in (
        PING,
        POST + b"Content-Length: 100\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"GET /supervisor/logs/follow HTTP/1.1\r\nHost: a\r\nX-Supervisor-Token: " + CLI_TOKEN.encode() + b"\r\n\r\n",
    ):
        await said(shared.url, sent, leave=True)
    assert (await shared.raw("GET", "/info")).status == 200
    await asyncio.sleep(0.5)
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR] == []
    assert CLI_TOKEN not in caplog.text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&&&=;="])
async def test_a_login_that_is_no_form(home: Home, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """401 or 403, whatever the bytes."""
    await home.install("core_mosquitto", start=True)
    headers = {
        "X-Supervisor-Token": home.addon_token("core_mosquitto"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = await home.raw("POST", "/auth", token=None, headers=headers, data=body)
    assert answer.status in {400, 401, 403}
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR] == []


async def test_json_that_python_would_take(shared: Home) -> None:
    """Numbers without end, texts that are none, keys that are there twice."""
    for body in (
        b'{"wait_boot": 1e999}',
        b'{"wait_boot": NaN}',
        b'{"wait_boot": 1e308}',
        b'{"wait_boot": ' + b"9" * 5000 + b"}",
        b'{"country": "\\ud800"}',
        b'{"country": "\\u0000", "country": 5}',
        b'{"timezone": "\\u0000"}',
        b'{"timezone": "Europe/Zurich\\u0000"}',
        b'{"timezone": "' + b"a" * 5000 + b'"}',
        b'{"addons_repositories": ["\\u0000"]}',
        b'{"addons_repositories": ["https://a\\u0000b/c"]}',
    ):
        answer = await shared.raw("POST", "/supervisor/options", token=CLI_TOKEN, data=body)
        assert answer.status == 400, body


@asynccontextmanager
async def hasty(home: Home) -> AsyncIterator[str]:
    """Address of the same application, served with little patience."""
    port = free_port()
    async with AsyncExitStack() as stack:
        app = create_app(home.house.services, body_wait=0.5)
        await serve(app, port, stack, patience=Patience(first=0.5, next=0.5, rest=0.5))
        yield f"http://127.0.0.1:{port}"


async def test_a_head_that_does_not_come(shared: Home) -> None:
    """The connection is ended, the one that asked for something before as well."""
    heads = (b"", b"GET /supervisor/pi", PING, PING + b"X-More: 1\r\nX-", PING + b"\r\nGET /in")
    async with hasty(shared) as address:
        answers = await asyncio.gather(*(said(address, sent) for sent in heads))
    for sent, answer in zip(heads, answers, strict=True):
        assert answer.count(b"HTTP/1.1 200 OK") == sent.count(b"\r\n\r\n"), sent


async def test_a_body_that_does_not_come(shared: Home) -> None:
    """408, and the connection is ended: what comes later is nobody's."""
    async with hasty(shared) as address:
        answer = await said(address, POST + b"Content-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_who_waits_for_a_long_answer_is_not_hurried(home: Home) -> None:
    """Patience is about clients: an answer takes the time that it takes."""
    home.cluster.slow_stop = True
    await home.install("core_mosquitto", start=True)
    (pod,) = home.cluster.pods(io__hass__addon="core_mosquitto")
    headers = {"X-Supervisor-Token": CLI_TOKEN}
    async with hasty(home) as address:
        stopping = asyncio.ensure_future(home.http.post(f"{address}/addons/core_mosquitto/stop", headers=headers))
        await home.cluster.stopping(pod["metadata"]["name"])
        await asyncio.wait({stopping}, timeout=1.2)  # longer than the patience with anything that a client sends
        assert not stopping.done()
        home.cluster.end(pod["metadata"]["name"])
        async with await stopping as reply:
            assert reply.status == 200
