"""Is the storage what we need: asked once at start, before anything else is done with it."""

from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model.storage import FOLDERS, check_claim
from supervisor_k8s.state.storage import SharedVolume


class Storage:
    """The shared claim and the volume behind it. The arguments are the settings of the same names."""

    def __init__(
        self,
        *,
        volume: SharedVolume,
        shared_claim: str,
        shared_storage_class: str | None,
        shared_size: str | None,
        allow_rwo: bool,
    ) -> None:
        self._volume = volume
        self._name = shared_claim
        self._class = shared_storage_class
        self._size = shared_size
        self._allow_rwo = allow_rwo

    async def prepare(self, claim: Mapping[str, Any] | None) -> None:
        """Check the live claim and the volume, and make the folders that pods mount.

        StorageError says what to change; the start stops there.
        """
        check_claim(claim, name=self._name, storage_class=self._class, size=self._size, allow_rwo=self._allow_rwo)
        await self._volume.probe()
        await self._volume.make_directories(FOLDERS)
