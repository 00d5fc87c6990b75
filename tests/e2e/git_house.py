"""A house whose configuration comes from git."""

from .house import Kubectl
from .repository import Repository

CONFIGURATION, LIVE = "configuration.yaml", "/data/homeassistant"
STATES = "/api/states/input_boolean"


class House:
    """The live configuration, and the repository it comes from, in the cluster's git server."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self.repository = Repository("house")

    async def live(self, script: str) -> str:
        """Run by a shell in the Supervisor's pod, which has the whole volume."""
        return await self._kubectl.run("exec", "deployment/supervisor", "--", "sh", "-ec", script)

    async def file(self, name: str) -> str:
        return await self.live(f"cat {LIVE}/{name} 2>/dev/null || true")
