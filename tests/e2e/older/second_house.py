"""The second house: installed by kustomize in a namespace of its own, removed with its volumes."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from tests.cluster import paths
from tests.e2e.house import Kubectl, becomes

NAMESPACE = "home-assistant-older"
CORE_VERSION = "2026.2.3"
FOLDER = Path(__file__).parent
VOLUMES = ("older-shared", "older-state")
START_WAIT = 300.0
"""Seconds until Core is ready: its first start compiles."""
END_WAIT = 330.0
"""Seconds until the namespace is gone: Core may take 260 to stop."""


async def install() -> None:
    """Install it unless it is there, and wait until Core is ready. Who comes second waits too."""
    kubectl = Kubectl(NAMESPACE)
    await kubectl.run("apply", "-k", str(FOLDER))
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=110s")

    async def ready() -> bool:
        pods = await kubectl.pods("app.kubernetes.io/name=homeassistant")
        for pod in pods:
            waiting = [status["state"].get("waiting", {}) for status in pod["status"].get("containerStatuses", ())]
            missing = [state["message"] for state in waiting if "ImagePull" in state.get("reason", "")]
            assert not missing, f"{missing}; `python -m tests.cluster up --for-tests` makes the image"
        conditions = [item for pod in pods for item in pod["status"].get("conditions", ())]
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    await becomes(ready, what=f"Core {CORE_VERSION} is ready", within=START_WAIT)


async def remove() -> None:
    """Take it away; on the local cluster with what it stored."""
    await Kubectl(NAMESPACE).run("delete", "-k", str(FOLDER), "--ignore-not-found", within=END_WAIT)
    if os.environ.get("CLUSTER") != "external":
        for volume in VOLUMES:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, paths.from_environment().volumes / volume)
