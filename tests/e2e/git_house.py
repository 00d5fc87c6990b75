"""A house whose configuration comes from git."""

from typing import Any

from .house import Core, Kubectl, Supervisor, becomes
from .repository import Repository

SLUG = "k8s_git_pull"
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


class GitPull:
    """The add-on, whose log and processes are seen without the Supervisor."""

    def __init__(self, kubectl: Kubectl, supervisor: Supervisor) -> None:
        self._kubectl = kubectl
        self._supervisor = supervisor

    async def install(self) -> None:
        assert (await self._supervisor.post(f"/store/addons/{SLUG}/install")).status == 200

    async def with_options(self, **options: Any) -> None:
        """Beside what is set already; it is started with them."""
        options = (await self._supervisor.get(f"/addons/{SLUG}/info")).data["options"] | options
        assert (await self._supervisor.post(f"/addons/{SLUG}/options", options=options)).status == 200
        assert (await self._supervisor.post(f"/addons/{SLUG}/restart")).status == 200

    async def uninstall(self) -> None:
        await self._supervisor.post(f"/addons/{SLUG}/uninstall")

    async def check(self) -> None:
        """As an action of Home Assistant's asks for it."""
        assert (await self._supervisor.send(f"/addons/{SLUG}/stdin", b'"check"')).status == 200

    async def pod(self) -> str:
        name: str = (await self._kubectl.pod(f"io.hass.addon={SLUG}"))["metadata"]["name"]
        return name

    async def run(self, script: str) -> str:
        """By a shell beside its program."""
        return await self._kubectl.run("exec", await self.pod(), "-c", "addon", "--", "sh", "-ec", script)

    async def log(self) -> str:
        """Since its start."""
        return await self._kubectl.run("logs", await self.pod(), "-c", "addon")

    async def says(self, words: str, *, after: str = "", within: float = 120) -> str:
        """The first line with these words that is none of the log `after`."""

        async def line() -> str:
            new = (await self.log()).removeprefix(after).splitlines()
            return next((one for one in new if words in one), "")

        return await becomes(line, what=f"{words!r} in the add-on's log", within=within)


async def shown(core: Core) -> str:
    """The add-on's notification in Home Assistant; empty when there is none."""
    async with core.socket() as socket:
        found = (await socket.command("persistent_notification/get"))["result"]
    return next((str(one["message"]) for one in found if one["notification_id"] == "git_pull"), "")
