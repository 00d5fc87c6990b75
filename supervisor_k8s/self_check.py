"""`python3 -m supervisor_k8s --check`: could this version take over this installation? Nothing is changed.

An update runs it with the new version's image before the Deployment is changed (`services/own_life.py`). It reads the
settings, as each start does; the state, on a copy; and asks the API server for every right that this version needs.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.cluster.kinds import Right, rights
from supervisor_k8s.errors import ClusterError, StateFileError
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.records import Records

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def complaints(settings: Settings) -> list[str]:
    """A sentence for each reason why this version should not take over; none when it may."""
    return [
        *await state_complaints(Path(settings.state)),
        *volume_complaints(settings),
        *await right_complaints(settings),
    ]


async def state_complaints(state: Path) -> list[str]:
    """What this version does not understand of our files."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "state"
        try:
            await asyncio.to_thread(copy_records, state, copy)
            records = await Records.load(copy)
        except (OSError, StateFileError) as error:
            return [f"The state cannot be read: {error}".replace(str(copy), str(state))]
        return [f"{name.rpartition('.damaged-')[0]} cannot be read by this version" for name in records.damaged]


def copy_records(state: Path, copy: Path) -> None:
    """The documents alone, without clones and logs."""
    (copy / "addons").mkdir(parents=True)
    for pattern in ("*.json", "addons/*.json"):
        for path in state.glob(pattern):
            shutil.copyfile(path, copy / path.relative_to(state))


def volume_complaints(settings: Settings) -> Iterator[str]:
    if not Path(settings.share).is_dir():
        yield f"The shared volume is not mounted at {settings.share}"


async def right_complaints(settings: Settings) -> list[str]:
    """Rights that our account lacks: the manifests of this version are to be applied first."""
    try:
        client = Client(Credentials.of_pod(os.environ, Path(settings.service_account)))
        try:
            asked = [lacks(client, settings.namespace, right) for right in rights()]
            missing = [right for right in await asyncio.gather(*asked) if right is not None]
        finally:
            await client.close()
    except ClusterError as error:
        return [f"The API server does not tell our rights: {error}"]
    if not missing:
        return []
    named = ", ".join(f"{right.verb} {right.resource}" for right in missing)
    return [f"The Supervisor's account may not: {named}. Apply the manifests of this version"]


async def lacks(client: Client, namespace: str, right: Right) -> Right | None:
    """The right if our account does not have it."""
    resource, _, part = right.resource.partition("/")
    attributes = {
        "namespace": namespace, "verb": right.verb, "group": right.group, "resource": resource, "subresource": part,
        "name": right.name,
    }  # fmt: skip
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.request("POST", REVIEWS, body=review)
    return None if answer["status"].get("allowed") else right
