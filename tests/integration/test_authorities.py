"""Servers with certificates of one's own authority, as `manifests/components/authorities` has them trusted."""

import os
from pathlib import Path

import pytest

from supervisor_k8s.errors import RepositoryError
from supervisor_k8s.model.repository import RepositoryUrl
from supervisor_k8s.store.git import Git
from tests.authority import certified
from tests.gitserver import GitServer

from .overlay import rendered


async def test_an_addon_store(tmp_path: Path) -> None:
    """One at home is refused without the component, and fetched with what it gives the Supervisor."""
    authority, tls = certified(tmp_path / "authority", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    server = GitServer(served)
    server.repository("store").commit({"a": "1"})
    store = RepositoryUrl(f"https://{server.host}/store")
    plain = {"PATH": os.environ["PATH"]}
    with server.running(tls):
        with pytest.raises(RepositoryError, match="certificate"):
            await Git(home=tmp_path / "home", environment=plain).clone(tmp_path / "refused", store)
        given = await variables(tmp_path / "overlay", authority)
        await Git(home=tmp_path / "home", environment=plain | given).clone(tmp_path / "copy", store)
    assert (tmp_path / "copy" / "a").read_text() == "1"


async def variables(overlay: Path, authority: Path) -> dict[str, str]:
    """What stands in the Supervisor's environment, where the authority's certificate is this file."""
    objects = await rendered(overlay, "authorities")
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = (one for one in pod["volumes"] if "configMap" in one)
    (mount,) = (one for one in container["volumeMounts"] if one["name"] == volume["name"])
    place = f"{mount['mountPath']}/{authority.name}"
    return {one["name"]: str(authority) for one in container["env"] if one.get("value") == place}
