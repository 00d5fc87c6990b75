"""`/docker/registries`: logins of image registries, as nodes get them, and who sees what of them."""

import base64
from typing import Any

import orjson
import pytest
from aiohasupervisor import DockerRegistryAuthError

from supervisor_k8s.errors import ClusterUnavailableError
from tests.contract.house import Home
from tests.fakes import Behaviour

ADDON = "core_mosquitto"
PATH = "/docker/registries"
LOGIN = {"username": "me", "password": "geheim"}


def auths(home: Home) -> dict[str, Any]:
    """What kubelets read."""
    secret = home.cluster.get("Secret", "supervisor-registries")
    assert secret is not None
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    found: dict[str, Any] = orjson.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    return found


async def shown(home: Home) -> Any:
    """The same in both places where clients look."""
    answer = (await home.raw("GET", PATH)).data
    assert (await home.raw("GET", "/docker/info")).data["registries"] == answer["registries"]
    return answer["registries"]


async def test_life(home: Home) -> None:
    """Added one by one, replaced, removed; names are shown, passwords never; the Secret outlives the last of them."""
    assert await shown(home) == {}
    assert auths(home) == {}
    assert (await home.raw("POST", PATH, json={"ghcr.io": LOGIN})).data == {}
    both = {"ghcr.io": {**LOGIN, "username": "you"}, "registry.test:5000": LOGIN}
    assert (await home.raw("POST", PATH, json=both)).data == {}
    assert await shown(home) == {"ghcr.io": {"username": "you"}, "registry.test:5000": {"username": "me"}}
    assert {host: entry["username"] for host, entry in auths(home).items()} == {
        "ghcr.io": "you",
        "registry.test:5000": "me",
    }
    assert auths(home)["ghcr.io"]["password"] == "geheim"
    assert (await home.raw("DELETE", f"{PATH}/registry.test:5000")).data == {}
    assert (await home.raw("DELETE", f"{PATH}/ghcr.io")).data == {}
    assert await shown(home) == {}
    assert auths(home) == {}


async def test_a_login_that_the_registry_does_not_take(home: Home) -> None:
    """Clients have words of their own for it; they name the registry. Without a login it is a pull like any other."""
    home.cluster.behaviours["example.test/amd64-app-mosquitto:7.1.0"] = Behaviour(
        pull_error="unexpected status from HEAD request to https://example.test/v2/x/manifests/7.1.0: 401 Unauthorized"
    )
    bare = await home.raw("POST", f"/store/addons/{ADDON}/install")
    assert (bare.status, bare.json.get("error_key")) == (400, None)
    await home.raw("POST", PATH, json={"example.test": LOGIN})
    with pytest.raises(DockerRegistryAuthError, match=r"authentication failed for example\.test"):
        await home.client().store.install_addon(ADDON)
    answer = await home.raw("POST", f"/store/addons/{ADDON}/install")
    assert (answer.status, answer.json["error_key"]) == (400, "docker_registry_auth_error")
    assert answer.json["extra_fields"]["registry"] == "example.test"
    assert LOGIN["password"] not in answer.text


async def test_nothing_is_restarted(home: Home) -> None:
    """Pods name the Secret from their start on, so a new login changes none of them."""
    await home.install(ADDON, start=True)
    before = home.cluster.select("Pod", {})
    assert {pod["spec"]["imagePullSecrets"][0]["name"] for pod in before} == {"supervisor-registries"}
    await home.raw("POST", PATH, json={"ghcr.io": LOGIN})
    assert home.cluster.select("Pod", {}) == before
    assert len(before) >= 2


async def test_refused(home: Home) -> None:
    """An unknown host; bodies of another shape, whose words quote no value: a password may stand anywhere in them."""
    unknown = await home.raw("DELETE", f"{PATH}/ghcr.io")
    assert (unknown.status, unknown.message) == (404, "Hostname ghcr.io does not exist in registries")
    secret = "geheimSENTINEL"
    for body in (
        {"ghcr.io": {"username": "me"}},
        {"ghcr.io": {"username": "me", "password": [secret]}},
        {"ghcr.io": {"username": "me", "passwort": secret}},
        {"ghcr.io": secret},
        [secret],
        {"ghcr.io": {"username": 5, "password": secret}},
    ):
        answer = await home.raw("POST", PATH, json=body)
        assert answer.status == 400
        assert secret not in answer.text
    assert "password" in (await home.raw("POST", PATH, json={"ghcr.io": {"username": "me"}})).message
    large = {"ghcr.io": {"username": "me", "password": "x" * 600_000}}
    assert (await home.raw("POST", PATH, json=large)).message.endswith("larger than 512 kB")
    assert await shown(home) == {}


async def test_kept_over_our_restart(home: Home) -> None:
    """The records have them: a Secret that somebody deleted or changed while we were away is made again."""
    await home.raw("POST", PATH, json={"ghcr.io": LOGIN})
    await home.stop()
    home.cluster.remove("Secret", "supervisor-registries")
    await home.start()
    assert await shown(home) == {"ghcr.io": {"username": "me"}}
    await home.cluster.until(lambda: home.cluster.get("Secret", "supervisor-registries"), within=10)
    assert auths(home)["ghcr.io"]["password"] == "geheim"


@pytest.mark.parametrize("damage", ["{", None])
async def test_a_file_that_is_lost(home: Home, damage: str | None) -> None:
    """The Secret still has the logins: they are read from there, and not forgotten with the file."""
    both = {"ghcr.io": LOGIN, "docker.io": {"username": "hub", "password": "a:b"}}
    await home.raw("POST", PATH, json=both)
    await home.stop()
    file = home.folder / "state" / "registries.json"
    file.unlink() if damage is None else file.write_text(damage)
    await home.start()
    assert await shown(home) == {"ghcr.io": {"username": "me"}, "docker.io": {"username": "hub"}}
    assert auths(home)["https://index.docker.io/v1/"]["password"] == "a:b"
    assert (await home.raw("DELETE", f"{PATH}/docker.io")).data == {}
    await home.stop()
    await home.start()
    assert await shown(home) == {"ghcr.io": {"username": "me"}}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"auths": []}', b'{"auths": {"a.test": {"auth": "x"}}}', b"\xff"])
async def test_a_secret_that_is_none(home: Home, content: bytes) -> None:
    """Somebody wrote something else there while the file was lost: nothing is taken from it, and it is put right."""
    await home.stop()
    live = home.cluster.get("Secret", "supervisor-registries")
    assert live is not None
    home.cluster.put({**live, "data": {".dockerconfigjson": base64.b64encode(content).decode()}})
    (home.folder / "state" / "registries.json").unlink(missing_ok=True)
    await home.start()
    assert await shown(home) == {}
    await home.cluster.until(lambda: auths_or_none(home) == {} or None, within=10)


def auths_or_none(home: Home) -> dict[str, Any] | None:
    try:
        return auths(home)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


async def test_cluster_that_does_not_answer(home: Home) -> None:
    """503, and the nodes get the login as soon as it answers again."""
    home.cluster.fail("apply", ClusterUnavailableError("The API server does not answer"))
    assert (await home.raw("POST", PATH, json={"ghcr.io": LOGIN})).status == 503
    await home.cluster.until(lambda: "ghcr.io" in auths(home) or None, within=10)
    assert await shown(home) == {"ghcr.io": {"username": "me"}}
