"""Add-ons with a page, in the user's own folder of add-ons: each has its manifest and its image in `tests/images`."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml

from tests.cluster import paths

from .house import Supervisor

PAGES = "local_pages"
"""It shows what pages do."""
GUARDED = "local_guarded"
"""It goes by who comes."""
MARIADB = "local_mariadb"
"""It has no page, and goes by who comes, too."""


@asynccontextmanager
async def installed(supervisor: Supervisor, slug: str = PAGES, **changes: Any) -> AsyncIterator[None]:
    """Installed and started inside of the block, whatever an earlier run left. `changes` are to its manifest."""
    name = slug.removeprefix("local_")
    folder = paths.from_environment().volumes / "shared" / "addons" / "local" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest = yaml.safe_load((paths.REPOSITORY / "tests/images" / f"addon-{name}" / "config.yaml").read_text())
    (folder / "config.json").write_text(json.dumps({**manifest, **changes}))
    assert (await supervisor.post("/store/reload")).status == 200
    await supervisor.post(f"/addons/{slug}/uninstall")
    assert (await supervisor.post(f"/store/addons/{slug}/install")).status == 200
    assert (await supervisor.post(f"/addons/{slug}/options", ingress_panel=True)).status == 200
    assert (await supervisor.post(f"/addons/{slug}/start")).status == 200
    try:
        yield
    finally:
        assert (await supervisor.post(f"/addons/{slug}/uninstall")).status == 200
        shutil.rmtree(folder)
        assert (await supervisor.post("/store/reload")).status == 200
