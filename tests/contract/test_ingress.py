"""`/ingress/…`: sessions and panels."""

import pytest
from aiohasupervisor import SupervisorAuthenticationError
from aiohasupervisor.models import AddonsOptions, CreateSessionOptions

from tests.contract.house import CLI_TOKEN, Home

SLUG = "core_panel"


async def test_panels(home: Home) -> None:
    """An add-on with ingress has a panel, hidden until the user shows it; Core is told after it was stored."""
    await home.install(SLUG)
    client = home.client()
    (panel,) = (await client.ingress.panels()).values()
    assert (panel.title, panel.icon, panel.admin, panel.enable) == ("Panel", "mdi:puzzle", True, False)
    await client.addons.set_addon_options(SLUG, AddonsOptions(ingress_panel=True))
    assert (await client.ingress.panels())[SLUG].enable is True
    assert home.core.requests[-1][:2] == ("POST", f"/api/hassio_push/panel/{SLUG}")
    await client.addons.uninstall_addon(SLUG)
    assert home.core.requests[-1][:2] == ("DELETE", f"/api/hassio_push/panel/{SLUG}")
    assert await client.ingress.panels() == {}


async def test_panel_when_core_cannot_be_told(home: Home) -> None:
    """The choice is kept; Core reads it when it comes back."""
    await home.install(SLUG)
    home.core.refusals = {f"/api/hassio_push/panel/{SLUG}": 500}
    await home.client().addons.set_addon_options(SLUG, AddonsOptions(ingress_panel=True))
    assert (await home.client().ingress.panels())[SLUG].enable is True


async def test_entry(home: Home) -> None:
    """Where Core serves the page; the token stays when the add-on starts anew."""
    await home.install(SLUG, start=True)
    info = await home.client().addons.addon_info(SLUG)
    assert info.ingress_entry is not None
    assert info.ingress_entry.startswith("/api/hassio_ingress/")
    assert info.ingress_url == f"{info.ingress_entry}/start"
    assert (info.ingress_port, info.ingress_panel) == (8099, False)
    await home.client().addons.restart_addon(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).ingress_entry == info.ingress_entry


async def test_session(home: Home) -> None:
    """128 hex digits, good until it is over, and after our restart."""
    ingress = home.client().ingress
    session = await ingress.create_session()
    assert len(session) == 128
    await ingress.validate_session(session)
    await home.stop()
    await home.start()
    await home.client().ingress.validate_session(session)
    with pytest.raises(SupervisorAuthenticationError):
        await home.client().ingress.validate_session("0" * 128)
    answer = await home.raw("POST", "/ingress/validate_session", json={"session": "none"})
    assert (answer.status, answer.text) == (401, "401: Unauthorized")


async def test_session_of_a_user(home: Home) -> None:
    """Core's list of users is asked; a Core that does not know the user, or cannot say, still gets a session."""
    ingress = home.client().ingress
    for user in ("1", "unknown"):
        assert await ingress.create_session(CreateSessionOptions(user_id=user))
    home.core.answers = {}
    assert await ingress.create_session(CreateSessionOptions(user_id="1"))


async def test_sessions_are_cores_alone(shared: Home) -> None:
    """A person's token makes none."""
    answer = await shared.raw("POST", "/ingress/session", token=CLI_TOKEN)
    assert (answer.status, answer.text) == (401, "401: Unauthorized")
