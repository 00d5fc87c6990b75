"""`/auth…`: logins with Home Assistant's passwords, for add-ons with `auth_api`.

`Authorization` holds the *user's* credentials here, so an add-on sends its own token in `X-Supervisor-Token`. The
Content-Type is compared exactly, as upstream does.
"""

from collections.abc import Mapping
from typing import Any, cast

import voluptuous as vol
from aiohttp import BasicAuth, web

from supervisor_k8s.api import envelope
from supervisor_k8s.api.answers import User, Users
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, ForbiddenError, LoginNoTextError, UserListError

REALM = {"WWW-Authenticate": 'Basic realm="Home Assistant Authentication"'}
LOGIN = vol.Schema({"username": str, "user": str, "password": str})
"""What may be in a body; either name of the first will do."""
UNKNOWN = (500,)
"""Core is there and says something that nobody foresaw."""
FORM = "application/x-www-form-urlencoded"


async def login(call: Call) -> None:
    caller = call.caller
    if caller is None or caller.slug is None or not caller.auth_api:
        raise ForbiddenError("Can't use Home Assistant auth!")
    username, password = await _credentials(call)
    if not isinstance(username, str) or not isinstance(password, str):
        raise LoginNoTextError
    if not await call.services.logins.check(caller.slug, username, password):
        raise web.HTTPUnauthorized(headers=REALM if "Authorization" in call.request.headers else None)


async def _credentials(call: Call) -> tuple[Any, Any]:
    request = call.request
    if given := request.headers.get("Authorization"):
        try:
            basic = BasicAuth.decode(given)
        except ValueError:
            raise web.HTTPUnauthorized(headers=REALM) from None
        return basic.login, basic.password
    content_type = request.headers.get("Content-Type")
    if content_type == "application/json":
        fields = await envelope.body(request)
    elif content_type == FORM:
        fields = await _form(request)
    else:
        raise web.HTTPUnauthorized(headers=REALM)
    if not hasattr(fields, "get"):
        raise LoginNoTextError
    return fields.get("username") or fields.get("user"), fields.get("password")


async def _form(request: web.Request) -> Mapping[str, Any]:
    await envelope.content(request)
    try:
        return await request.post()
    except UnicodeDecodeError:
        raise LoginNoTextError from None


async def reset(call: Call) -> None:
    await call.services.logins.reset(call.body["username"], call.body["password"])


async def clear_cache(call: Call) -> None:
    await call.services.logins.clear()


async def users(call: Call) -> Users:
    try:
        found = await call.services.logins.users()
    except (CoreUnreachableError, CoreAnswerError) as error:
        raise UserListError from error
    shown = [{key: user.get(key) for key in User.__annotations__} for user in found if user.get("username")]
    return {"users": cast("list[User]", shown)}


ROUTES: tuple[Route, ...] = (
    get("/auth", login, fails=UNKNOWN),
    post("/auth", login, reads=LOGIN, fails=UNKNOWN),
    post("/auth/reset", reset, {vol.Required("username"): str, vol.Required("password"): str}),
    delete("/auth/cache", clear_cache),
    get("/auth/list", users, fails=UNKNOWN),
)
