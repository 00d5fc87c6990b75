"""Routes without prefix."""

from tests.contract.house import Home


async def test_info(shared: Home) -> None:
    """Core reads what this installation is."""
    info = await shared.client().info()
    assert (info.supervisor, info.homeassistant, info.hassos) == ("2026.11.0", "2026.11.0", None)
    assert (info.arch, info.supported_arch, info.machine) == ("amd64", ["amd64"], "generic-x86-64")
    assert (info.docker, info.hostname, info.state) == ("v1.36.2", "node", "running")
    assert (info.channel, info.logging, info.timezone) == ("stable", "info", "UTC")
