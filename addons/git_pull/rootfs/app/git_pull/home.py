"""The port to whoever runs Home Assistant."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol


class Home(Protocol):
    """Every method raises HomeError when it got no answer that says anything."""

    async def core_version(self) -> str:
        """Another one may take what this one refused."""

    async def check(self, candidate: Path, without: Sequence[str]) -> bool:
        """Would Core take the configuration with the files of `candidate`, and without these paths? InvalidError with
        Core's own sentences when it would not. False: who can only look at what is live is asked again then, by
        `check_live`.
        """

    async def check_live(self) -> None:
        """Does Core take what is live now? Asked while it can still be taken back. InvalidError as for `check`."""

    async def restart(self) -> None:
        """Answers when Home Assistant is up again, with its whole configuration. RestartError when it does not come up
        like that; HomeError also when it was not restarted.
        """

    async def actions(self) -> Collection[str]:
        """What Home Assistant can be asked to do: `automation.reload` and the like."""

    async def act(self, action: str) -> None:
        """Answers when it is done."""

    async def show(self, message: str | None) -> None:
        """What the user should know until it is another one; None: nothing any more."""
