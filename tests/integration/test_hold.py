"""`hold`, compiled and run: it pauses, goes at once, and tells whether a port is listened on."""

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.free_ports import free_port

SOURCE = Path(__file__).parents[2] / "rootfs" / "usr" / "src" / "hold.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the Dockerfile compiles it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "a C compiler is needed: apt-get install gcc libc6-dev"
    target = tmp_path_factory.mktemp("hold") / "hold"
    command = [compiler, "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(SOURCE)]
    subprocess.run(command, check=True)
    return target


@pytest.fixture
def holding(program: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The running program, the port where it answers and the one it watches."""
    ready, watched = free_port(), free_port()
    process = subprocess.Popen([program, "--ready", str(ready), str(watched)])
    try:
        yield process, ready, watched
    finally:
        process.kill()
        process.wait()


def asked(port: int) -> int:
    """Status of a GET, once the program answers at all."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except ConnectionRefusedError:
            continue
        finally:
            connection.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_ready_is_who_listens(holding: tuple[subprocess.Popen[bytes], int, int], family: int) -> None:
    """503 while nobody listens on the watched port, 200 as soon as somebody does, 503 again afterwards."""
    _, ready, watched = holding
    assert asked(ready) == 503
    with socket.socket(family) as server:
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", watched))
        assert asked(ready) == 503
        server.listen()
        assert asked(ready) == 200
    assert asked(ready) == 503


def test_a_question_that_comes_too_early_waits(holding: tuple[subprocess.Popen[bytes], int, int]) -> None:
    """Asked a moment before somebody listens, the answer is 200: the kubelet would only ask again a second later."""
    _, ready, watched = holding
    asked(ready)  # it has come up
    with ThreadPoolExecutor() as pool, socket.socket() as server:
        server.bind(("127.0.0.1", watched))
        early = pool.submit(asked, ready)
        time.sleep(0.2)
        assert not early.done()
        server.listen()
        assert early.result(timeout=5) == 200


def test_ready_is_when_all_listen(program: Path) -> None:
    """One of two is not enough."""
    ready, first, second = free_port(), free_port(), free_port()
    with subprocess.Popen([program, "--ready", str(ready), str(first), str(second)]) as process:
        try:
            with socket.create_server(("127.0.0.1", first)):
                assert asked(ready) == 503
                with socket.create_server(("127.0.0.1", second)):
                    assert asked(ready) == 200
            with socket.create_server(("127.0.0.1", second)):
                assert asked(ready) == 503
        finally:
            process.kill()


def test_a_visitor_who_says_nothing_blocks_nobody_for_long(holding: tuple[subprocess.Popen[bytes], int, int]) -> None:
    """The kubelet's next question is answered although another connection stays silent."""
    _, ready, _ = holding
    assert asked(ready) == 503
    with socket.create_connection(("127.0.0.1", ready)):
        assert asked(ready) == 503


def test_it_goes_at_once(holding: tuple[subprocess.Popen[bytes], int, int]) -> None:
    """SIGTERM ends it with exit code 0: a stop does not wait for its grace."""
    process, ready, _ = holding
    asked(ready)
    process.terminate()
    assert process.wait(timeout=5) == 0
