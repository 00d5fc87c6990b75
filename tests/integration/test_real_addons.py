"""All real add-ons that we have, shown to a real API server."""

import asyncio
import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.compose import desired_addon
from supervisor_k8s.model.desired.docker_network import has_link, link_entries
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.site import Site
from tests.builders import EVERYTHING, LAUNCH, LINK_KEYS, TOKEN, site
from tests.cluster import binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.paths import from_environment
from tests.real_addons import real_addons


def objects(config: AddonConfig, where: Site) -> Iterator[dict[str, Any]]:
    """Everything of one start, in the namespace of the site."""
    name, labels = naming.addon_name(config.slug), naming.addon_labels(config.slug)
    entries = link_entries(config, LINK_KEYS) if has_link(config, where) else {}
    rendered = desired_addon(
        config,
        launch_id=LAUNCH,
        version=config.version,
        image="example/app:1",
        options=config.options,
        ports=config.ports,
        timezone="UTC",
        site=where,
        protected=False,
    )
    for item in (token_secret(name, labels, LAUNCH, TOKEN, entries), *rendered):
        yield {**item, "metadata": {**item["metadata"], "namespace": where.namespace}}


async def dry_run(plane: ControlPlane, items: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """How many the API server takes, held against its schema strictly; and all that it complains of, warnings too."""
    process = await asyncio.create_subprocess_exec(
        binaries.program(from_environment(), "kubectl"),
        f"--kubeconfig={plane.kubeconfig}",
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    taken, complained = await process.communicate(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": items}).encode()
    )
    return len(taken.splitlines()), complained.decode()


async def test_all_pass_a_dry_run_without_a_warning(plane: ControlPlane, namespace: str) -> None:
    """As they are where nothing is allowed, and where everything is: no unknown field, no value that is none, and
    nothing that the API server warns of, such as two ports of one name.
    """
    bare = site(namespace=namespace)
    full = site(namespace=namespace, allowed=EVERYTHING, docker_network=True, pod_cidrs=("10.42.0.0/16",))
    items: list[dict[str, Any]] = []
    for config in real_addons().values():
        simple = list(objects(config, bare))
        items += [*simple, *(item for item in objects(config, full) if item not in simple)]
    assert await dry_run(plane, items) == (len(items), "")


async def test_a_complaint_would_be_seen(plane: ControlPlane, namespace: str) -> None:
    """A field that does not exist is an error, and a part of a byte a warning."""
    *_, item = objects(real_addons()["core_mosquitto"], site(namespace=namespace))
    misspelt = copy.deepcopy(item)
    misspelt["spec"]["template"]["spec"]["hostNetwrok"] = True
    odd = copy.deepcopy(item)
    odd["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "128m"}}
    taken, complained = await dry_run(plane, [misspelt])
    assert (taken, "hostNetwrok" in complained) == (0, True)
    taken, complained = await dry_run(plane, [odd])
    assert (taken, "Warning" in complained) == (1, True)
