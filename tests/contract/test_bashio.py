"""The calls that add-ons' start scripts make with bashio: always a JSON body, status exactly 200, `result` first."""

from tests.contract.house import Home

SLUG = "core_mosquitto"
START = (
    "/supervisor/ping",
    "/addons/self/info",
    "/info",
    "/addons/self/options/config",
    "/services",
)
"""What the base images ask before the program begins, for an add-on without any role."""
DEFAULT_ROLE = ("/supervisor/info", "/core/info", "/host/info", "/network/info", "/dns/info", "/os/info")


async def test_start_of_an_addon(home: Home) -> None:
    """Each with a body `{}` on a GET; each is 200 with data that is an object."""
    await home.install(SLUG, start=True)
    for path in START:
        answer = await home.raw("GET", path, token=home.addon_token(SLUG), json={})
        assert isinstance(answer.data, dict), path
    info = (await home.raw("GET", "/addons/self/info", token=home.addon_token(SLUG), json={})).data
    assert info["network"]["1883/tcp"] == 1883
    assert info["ip_address"]


async def test_info_with_the_default_role(home: Home) -> None:
    """Every `/…/info` that add-ons read."""
    await home.install("core_panel", start=True)
    for path in DEFAULT_ROLE:
        answer = await home.raw("GET", path, token=home.addon_token("core_panel"), json={})
        assert answer.data, path


async def test_read_modify_write_of_own_options(home: Home) -> None:
    """`bashio::addon.option`: read all, change one, post all."""
    await home.install(SLUG, start=True)
    token = home.addon_token(SLUG)
    options = (await home.raw("GET", "/addons/self/info", token=token, json={})).data["options"]
    options["require_certificate"] = True
    assert (await home.raw("POST", "/addons/self/options", token=token, json={"options": options})).data == {}
    assert (await home.raw("GET", "/addons/self/info", token=token, json={})).data["options"] == options


async def test_addon_restarts_and_stops_itself(home: Home) -> None:
    """With its own token, which is worthless afterwards; who asked may be gone by the answer."""
    await home.install(SLUG, start=True)
    assert (await home.raw("POST", "/addons/self/restart", token=home.addon_token(SLUG), json={})).data == {}
    assert (await home.raw("POST", "/addons/self/stop", token=home.addon_token(SLUG), json={})).data == {}
    assert (await home.client().addons.addon_info(SLUG)).state == "stopped"
