"""`/auth…`: Home Assistant's passwords for add-ons."""

import base64
from typing import Any

from tests.contract.house import CLI_TOKEN, Home

SLUG, WANT = "core_mosquitto", "/api/hassio_auth"
USER = {"username": "me", "password": "hunter2"}


async def ask(home: Home, **options: Any) -> Any:
    headers = {"X-Supervisor-Token": home.addon_token(SLUG), **options.pop("headers", {})}
    return await home.raw("POST", "/auth", token=None, headers=headers, **options)


async def test_right_and_wrong(home: Home) -> None:
    """JSON, a form and Basic are understood; Core decides; a wrong password is 401 in plain text."""
    await home.install(SLUG, start=True)
    basic = {"Authorization": "Basic " + base64.b64encode(b"me:hunter2").decode()}
    for options in (
        {"json": USER},
        {"json": {"user": "me", "password": "hunter2"}},
        {"data": USER},
        {"headers": basic},
    ):
        assert (await ask(home, **options)).data == {}
        assert home.core.requests[-1] == ("POST", WANT, {**USER, "addon": SLUG})
    home.core.refusals = {WANT: 404}
    home.core.documents = {"/api/config": {"components": ["hassio"]}}
    for options in ({"json": USER}, {"headers": basic}):
        answer = await ask(home, **options)
        assert (answer.status, answer.text) == (401, "401: Unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Home Assistant Authentication"'


async def test_what_is_no_login(home: Home) -> None:
    """A Bearer alone is no user; other contents are not read; values must be texts."""
    await home.install(SLUG, start=True)
    assert (await home.raw("POST", "/auth", token=home.addon_token(SLUG))).status == 401
    assert (await ask(home, data=b"x", headers={"Content-Type": "text/plain"})).status == 401
    answer = await ask(home, json={"username": "me", "password": 5})
    assert (answer.status, answer.json["error_key"]) == (401, "auth_invalid_non_string_value_error")
    assert home.core.requests == []


async def test_core_that_cannot_say(home: Home) -> None:
    """500 with its key."""
    await home.install(SLUG, start=True)
    home.core.refusals = {WANT: 500}
    answer = await ask(home, json=USER)
    assert (answer.status, answer.json["error_key"]) == (500, "auth_home_assistant_api_validation_error")


async def test_only_for_addons_that_declare_it(home: Home) -> None:
    """Neither Core nor an add-on without `auth_api`."""
    await home.install("core_panel", start=True)
    for token in (home.core_token, home.addon_token("core_panel")):
        answer = await home.raw("POST", "/auth", token=None, headers={"X-Supervisor-Token": token}, json=USER)
        assert (answer.status, answer.message) == (403, "Can't use Home Assistant auth!")


async def test_users_and_passwords(home: Home) -> None:
    """For people: the list of users who have a name to log in with, and a new password."""
    home.core.answers["config/auth/list"] = [
        {
            "id": "1",
            "username": "me",
            "name": "Me",
            "is_owner": True,
            "is_active": True,
            "local_only": False,
            "group_ids": ["system-admin"],
        },
        {"id": "2", "username": None, "name": "Supervisor"},
    ]
    (user,) = (await home.raw("GET", "/auth/list", token=CLI_TOKEN)).data["users"]
    assert (user["username"], user["is_owner"]) == ("me", True)
    assert (await home.raw("POST", "/auth/reset", token=CLI_TOKEN, json=USER)).data == {}
    home.core.refusals = {f"{WANT}/password_reset": 404}
    answer = await home.raw("POST", "/auth/reset", token=CLI_TOKEN, json=USER)
    assert (answer.status, answer.json["error_key"]) == (400, "auth_password_reset_error")


async def test_while_core_is_away(home: Home) -> None:
    """Whom Core let in before gets in, with that password only; nobody else is judged; `DELETE /auth/cache` forgets."""
    await home.install(SLUG, start=True)
    assert (await ask(home, json=USER)).data == {}
    home.core.refusals = {WANT: 503}
    assert (await ask(home, json=USER)).data == {}
    for other in ({"username": "me", "password": "guess"}, {"username": "you", "password": "hunter2"}):
        answer = await ask(home, json=other)
        assert (answer.status, answer.json["error_key"]) == (500, "auth_home_assistant_api_validation_error")
    assert (await home.raw("DELETE", "/auth/cache", token=CLI_TOKEN)).data == {}
    assert (await ask(home, json=USER)).status == 500


async def test_while_core_starts(home: Home) -> None:
    """Before its `hassio` integration is loaded Core answers 404 to everything: that is no wrong password."""
    await home.install(SLUG, start=True)
    assert (await ask(home, json=USER)).data == {}
    home.core.refusals = {WANT: 404}
    home.core.documents = {"/api/config": {"components": ["http"]}}
    assert (await ask(home, json=USER)).data == {}
    home.core.documents = {"/api/config": {"components": ["http", "hassio"]}}
    assert (await ask(home, json=USER)).status == 401
    home.core.refusals = {WANT: 503}
    assert (await ask(home, json=USER)).status == 500, "a login that Core refused since must not come back"


async def test_a_new_password(home: Home) -> None:
    """The old one is worth nothing from the reset on, also while Core is away."""
    await home.install(SLUG, start=True)
    assert (await ask(home, json=USER)).data == {}
    new = {"username": "me", "password": "hunter3"}
    assert (await home.raw("POST", "/auth/reset", token=CLI_TOKEN, json=new)).data == {}
    home.core.refusals = {WANT: 503}
    assert (await ask(home, json=USER)).status == 500


async def test_what_is_kept_of_a_login(home: Home) -> None:
    """It outlives us, and no file holds the password."""
    await home.install(SLUG, start=True)
    assert (await ask(home, json=USER)).data == {}
    files = [file.read_text() for file in (home.folder / "state").rglob("*.json")]
    assert any("scrypt" in text for text in files)
    assert not any("hunter2" in text for text in files)
    await home.stop()
    await home.start()
    home.core.refusals = {WANT: 503}
    assert (await ask(home, json=USER)).data == {}


async def test_who_is_switched_off(home: Home) -> None:
    """Core finds the password right; the user is refused all the same, and not let in while Core is away."""
    await home.install(SLUG, start=True)
    assert (await ask(home, json=USER)).data == {}
    home.core.answers["config/auth/list"] = [{"id": "1", "username": "Me ", "is_active": False}]
    assert (await ask(home, json=USER)).status == 401
    home.core.refusals = {WANT: 503}
    assert (await ask(home, json=USER)).status == 500
