"""The add-on with a page, in the user's own folder of add-ons."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cluster import paths

from .house import Supervisor

PAGES = "local_pages"


@asynccontextmanager
async def installed(supervisor: Supervisor) -> AsyncIterator[None]:
    """Installed and started inside of the block, whatever an earlier run left."""
    folder = paths.from_environment().volumes / "shared" / "addons" / "local" / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(paths.REPOSITORY / "tests" / "images" / "addon-pages" / "config.yaml", folder)
    assert (await supervisor.post("/store/reload")).status == 200
    await supervisor.post(f"/addons/{PAGES}/uninstall")
    assert (await supervisor.post(f"/store/addons/{PAGES}/install")).status == 200
    assert (await supervisor.post(f"/addons/{PAGES}/options", ingress_panel=True)).status == 200
    assert (await supervisor.post(f"/addons/{PAGES}/start")).status == 200
    try:
        yield
    finally:
        assert (await supervisor.post(f"/addons/{PAGES}/uninstall")).status == 200
        shutil.rmtree(folder)
        assert (await supervisor.post("/store/reload")).status == 200
