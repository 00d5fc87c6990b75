"""An image's HEALTHCHECK: found out at its registry, kept with the add-on, and a readiness probe, never more."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import ImageConfigUnavailableError, RegistryAwayError
from supervisor_k8s.model.health import health_of, health_probe
from supervisor_k8s.model.image_pull import Place, place_of
from supervisor_k8s.remote.image_config import ImageConfigs
from supervisor_k8s.services.health_checks import AGAIN_AFTER, HealthChecks
from supervisor_k8s.state.records import Records
from tests.addon_house import IMAGE, NAME, NEXT_IMAGE, SLUG, House
from tests.fakes import FakeCluster

SECOND = 10**9
TEST = ["CMD-SHELL", "curl -fs http://127.0.0.1 || exit 1"]
COMMAND = ["/bin/sh", "-c", TEST[1]]
FOUND = {"command": COMMAND, "interval": 30.0, "timeout": 30.0, "retries": 3}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"Healthcheck": {"Test": TEST}}, FOUND),
        ({"Healthcheck": {"Test": TEST, "Interval": 0, "Timeout": 0, "Retries": 0}}, FOUND),
        ({"Healthcheck": {"Test": TEST, "Interval": "soon", "Retries": True}}, FOUND),
        (
            {"Healthcheck": {"Test": ["CMD", "/check", "-q"], "Interval": 5 * SECOND, "Timeout": SECOND, "Retries": 9}},
            {"command": ["/check", "-q"], "interval": 5.0, "timeout": 1.0, "retries": 9},
        ),
        (
            {"Healthcheck": {"Test": TEST}, "Shell": ["/bin/bash", "-ec"]},
            {**FOUND, "command": ["/bin/bash", "-ec", TEST[1]]},
        ),
        ({"Healthcheck": {"Test": ["NONE"]}}, None),
        ({"Healthcheck": {"Test": []}}, None),
        ({"Healthcheck": {"Test": ["CMD"]}}, None),
        ({"Healthcheck": {"Test": ["CMD", 5]}}, None),
        ({"Healthcheck": {"Test": "curl"}}, None),
        ({"Healthcheck": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_an_image_says(config: Any, found: dict[str, Any] | None) -> None:
    """Docker's forms and defaults; what says nothing sensible has no check."""
    assert health_of(config) == found


@pytest.mark.parametrize(
    ("changes", "times"),
    [
        ({}, (10, 30, 9)),
        ({"interval": 5.0, "timeout": 2.5, "retries": 5}, (5, 3, 5)),
        ({"interval": 0.2, "timeout": 0.1, "retries": 1}, (1, 1, 1)),
        ({"interval": 300.0, "retries": 2}, (10, 30, 60)),
    ],
)
def test_the_probe(changes: dict[str, Any], times: tuple[int, int, int]) -> None:
    """It looks often enough that a start is soon seen, and gives up when Docker would, in seconds as in attempts."""
    probe = health_probe({**FOUND, **changes})
    assert probe["exec"] == {"command": COMMAND}
    assert (probe["periodSeconds"], probe["timeoutSeconds"], probe["failureThreshold"]) == times


@pytest.mark.parametrize(
    ("image", "place"),
    [
        (
            "ghcr.io/home-assistant/amd64-addon-mosquitto:6.5",
            ("ghcr.io", "home-assistant/amd64-addon-mosquitto", "6.5"),
        ),
        ("dianlight/amd64-addon-plex:2", ("registry-1.docker.io", "dianlight/amd64-addon-plex", "2")),
        ("docker.io/library/busybox", ("registry-1.docker.io", "library/busybox", "latest")),
        ("busybox:1", ("registry-1.docker.io", "library/busybox", "1")),
        ("127.0.0.1:5000/a/b:1", ("127.0.0.1:5000", "a/b", "1")),
        ("quay.io/a/b@sha256:00", ("quay.io", "a/b", "sha256:00")),
        ("quay.io/a/b:1@sha256:00", ("quay.io", "a/b", "sha256:00")),
    ],
)
def test_where_an_image_is(image: str, place: tuple[str, str, str]) -> None:
    """Short names mean Docker Hub."""
    assert place_of(image) == Place(*place)


# --- a registry --------------------------------------------------------------------------------------------------


class Registry:
    """One image for two architectures, for whoever has a token; tokens are for whoever has the login."""

    def __init__(self) -> None:
        self.login: tuple[str, str] | None = None
        self.basic = False
        """Asks for the login itself, not for a token."""
        self.realm = ""
        """Where it sends people for a token; to itself when empty."""
        self.asked: list[str] = []
        self.contents: dict[str, bytes] = {}
        platforms = [self._manifest(arch, {"Healthcheck": {"Test": ["CMD", arch]}}) for arch in ("arm64", "amd64")]
        self.contents["/v2/a/b/manifests/1"] = json.dumps({"manifests": platforms}).encode()
        self.contents["/v2/a/b/manifests/single"] = self.contents[f"/v2/a/b/manifests/{platforms[1]['digest']}"]
        self.contents["/v2/a/b/manifests/odd"] = b"[]"
        self.contents["/v2/a/b/manifests/forged"] = json.dumps({"config": {"digest": "sha256:forged"}}).encode()
        self.contents["/v2/a/b/blobs/sha256:forged"] = b'{"config": {}}'

    def _manifest(self, arch: str, config: Mapping[str, Any]) -> dict[str, Any]:
        blob = self._keep("blobs", {"config": config})
        digest = self._keep("manifests", {"config": {"digest": blob}})
        return {"digest": digest, "platform": {"os": "linux", "architecture": arch}}

    def _keep(self, kind: str, content: Any) -> str:
        written = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(written).hexdigest()}"
        self.contents[f"/v2/a/b/{kind}/{digest}"] = written
        return digest

    async def answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        wanted = "" if self.login is None else f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"
        if request.path == "/token":
            self.asked.append(request.query["scope"])
            return web.json_response({"token": "t"}, status=200 if given == wanted else 401)
        if given != (wanted if self.basic else "Bearer t"):
            place = self.realm or f"{request.url.origin()}/token"
            challenge = 'Basic realm="r"' if self.basic else f'Bearer realm="{place}",service="s",scope="x"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        content = self.contents.get(request.path)
        return web.Response(status=404) if content is None else web.Response(body=content)


@pytest.fixture
async def registry() -> AsyncIterator[tuple[Registry, str]]:
    """A registry and its host."""
    made, app = Registry(), web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    async with TestServer(app) as server:
        yield made, f"127.0.0.1:{server.port}"


def configs() -> Callable[..., Any]:
    return ImageConfigs(scheme="http").fetch


@pytest.mark.parametrize("found", [("1", "amd64", "amd64"), ("1", "arm64", "arm64"), ("single", "arm64", "amd64")])
@pytest.mark.parametrize(("login", "basic"), [(None, False), (("me", "hush"), False), (("me", "hush"), True)])
async def test_what_a_registry_says(
    registry: tuple[Registry, str], found: tuple[str, str, str], login: tuple[str, str] | None, basic: bool
) -> None:
    """Of an index, our architecture's image; with a token for everybody, for a login, or with the login itself."""
    (made, host), (tag, arch, ours) = registry, found
    made.login, made.basic = login, basic
    config = await configs()(f"{host}/a/b:{tag}", architecture=arch, login=login)
    assert config == {"Healthcheck": {"Test": ["CMD", ours]}}
    assert made.asked == ([] if basic else ["repository:a/b:pull"])


@pytest.mark.parametrize(
    ("image", "arch", "login", "reason"),
    [
        ("a/b:none", "amd64", ("me", "hush"), "status 404"),
        ("a/b:1", "s390x", ("me", "hush"), "in another way than registries do"),
        ("a/b:odd", "amd64", ("me", "hush"), "in another way than registries do"),
        ("a/b:forged", "amd64", ("me", "hush"), "in another way than registries do"),
        ("a/b:1", "amd64", ("me", "wrong"), "status 401"),
        ("a/b:1", "amd64", None, "status 401"),
    ],
)
async def test_a_registry_that_does_not_say(
    registry: tuple[Registry, str], image: str, arch: str, login: tuple[str, str] | None, reason: str
) -> None:
    """One sentence says why, without the password."""
    made, host = registry
    made.login = "me", "hush"
    with pytest.raises(ImageConfigUnavailableError, match=reason) as caught:
        await configs()(f"{host}/{image}", architecture=arch, login=login)
    assert "hush" not in str(caught.value)
    assert not isinstance(caught.value, RegistryAwayError)


async def test_a_registry_that_is_away() -> None:
    """So does one that nobody answers for."""
    with pytest.raises(RegistryAwayError, match=r"127\.0\.0\.1:9"):
        await configs()("127.0.0.1:9/a/b:1", architecture="amd64", login=None)


async def test_a_login_goes_to_places_that_are_as_safe(registry: tuple[Registry, str]) -> None:
    """A registry may not send us elsewhere over another protocol than its own, which is HTTPS."""
    made, host = registry
    made.realm = "ftp://127.0.0.1/token"
    with pytest.raises(ImageConfigUnavailableError, match="a place that is not safe"):
        await configs()(f"{host}/a/b:1", architecture="amd64", login=("me", "hush"))
    assert made.asked == []


# --- add-ons -----------------------------------------------------------------------------------------------------


class Asked:
    """A registry's answers, and how often it was asked."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self.away: type[ImageConfigUnavailableError] | None = None

    async def fetch(self, image: str, *, architecture: str, login: tuple[str, str] | None) -> Mapping[str, Any]:
        self.images.append(f"{image} {architecture} {login}")
        if self.away:
            raise self.away(image=image, reason="no route to host")
        return {"Healthcheck": {"Test": TEST}}


async def test_a_registry_that_is_away_is_left_alone_for_a_time() -> None:
    """Running is started then; others are asked meanwhile."""
    asked, now = Asked(), [0.0]
    checks = HealthChecks(
        fetch=asked.fetch, enabled=True, architecture="arm64", login=lambda _: ("me", "hush"), now=lambda: now[0]
    )
    assert await checks.of("ghcr.io/a:1") == FOUND
    asked.away = RegistryAwayError
    assert await checks.of("ghcr.io/a:2") is None
    asked.away = None
    assert await checks.of("ghcr.io/a:2") is None
    assert await checks.of("quay.io/a:2") == FOUND
    now[0] = AGAIN_AFTER
    assert await checks.of("ghcr.io/a:2") == FOUND
    login = "arm64 ('me', 'hush')"
    assert asked.images == [
        f"{image} {login}" for image in ("ghcr.io/a:1", "ghcr.io/a:2", "quay.io/a:2", "ghcr.io/a:2")
    ]


async def test_a_registry_that_knows_no_such_image_is_asked_for_others() -> None:
    """One image that nobody may see, or that is not there, says nothing of the next one."""
    asked = Asked()
    checks = HealthChecks(fetch=asked.fetch, enabled=True, architecture="amd64", login=lambda _: None)
    asked.away = ImageConfigUnavailableError
    assert await checks.of("ghcr.io/a:1") is None
    asked.away = None
    assert await checks.of("ghcr.io/b:1") == FOUND


async def test_nobody_is_asked_when_that_is_not_wanted() -> None:
    """`SUPERVISOR_K8S_HEALTHCHECKS=false`."""
    asked = Asked()
    checks = HealthChecks(fetch=asked.fetch, enabled=False, architecture="amd64", login=lambda _: None)
    assert await checks.of("ghcr.io/a:1") is None
    assert asked.images == []


@asynccontextmanager
async def house_with_a_check(folder: Path) -> AsyncIterator[House]:
    house = await House.build(folder, FakeCluster())
    house.healthy[IMAGE] = FOUND
    async with house.living():
        yield house


def probes(house: House) -> dict[str, Any]:
    """The program's, in its pod."""
    (pod,) = house.pods()
    (program,) = (one for one in pod["spec"]["containers"] if one["name"] == "addon")
    return {key: value for key, value in program.items() if key.endswith("Probe")}


async def test_an_addon_whose_image_has_one(tmp_path: Path) -> None:
    """It is ready when the check succeeds; when it does not, Kubernetes ends nothing. Our next process knows of it."""
    async with house_with_a_check(tmp_path) as house:
        await house.install()
        await house.start()
        assert probes(house) == {"readinessProbe": health_probe(FOUND)}
    again = await Records.load(tmp_path / "state")
    assert again.addons[SLUG].health == FOUND


async def test_one_that_is_not_healthy_is_reached(tmp_path: Path) -> None:
    """As with Docker: its ports lead to it whatever its check says. Without one they do once it listens."""
    async with house_with_a_check(tmp_path) as house:
        await house.install(ports={"1883/tcp": 1883})
        await house.start()
        service = house.cluster.get("Service", NAME)
        assert service is not None
        assert service["spec"]["publishNotReadyAddresses"] is True
        house.offer(version="2.0.0", ports={"1883/tcp": 1883})
        await house.update()
        service = house.cluster.get("Service", NAME)
        assert service is not None
        assert "publishNotReadyAddresses" not in service["spec"]


async def test_an_update(tmp_path: Path) -> None:
    """The new image's own counts, with the new version: also when it has none."""
    async with house_with_a_check(tmp_path) as house:
        await house.install()
        await house.start()
        house.offer(version="2.0.0")
        await house.update()
        assert probes(house) == {}
        house.offer(version="3.0.0")
        house.healthy[NEXT_IMAGE.replace("2.0.0", "3.0.0")] = {**FOUND, "command": ["/new"]}
        await house.update()
        assert probes(house)["readinessProbe"]["exec"] == {"command": ["/new"]}


async def test_one_that_runs_once(tmp_path: Path) -> None:
    """Its end is what counts."""
    async with house_with_a_check(tmp_path) as house:
        await house.install(startup="once")
        await house.start()
        assert probes(house) == {}
