"""Everything the cluster is to hold for one add-on, in the order in which it is applied. Pure.

Same input, same bytes: a launch keeps what is rendered here, and drift is repaired from that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.network import addon_service, container_ports
from supervisor_k8s.model.desired.volumes import folders
from supervisor_k8s.model.desired.workload import AddonLaunch, addon_deployment, addon_job
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site


def desired_addon(  # noqa: PLR0913 - the parts of a start, by name
    config: AddonConfig,
    *,
    launch_id: str,
    version: str,
    image: str,
    options: Mapping[str, Any],
    ports: Mapping[str, int | None],
    timezone: str,
    site: Site,
    protected: bool = True,
    health: Mapping[str, Any] | None = None,
) -> tuple[Manifest, ...]:
    """Objects of one launch but its Secret: the Service (where there are ports), then Deployment or Job.

    `image` is with tag, `ports` the manifest's container ports with what the user made of them, `options` validated;
    `protected` is the add-on's protection mode, `health` the image's own check (model.health).
    """
    launch = AddonLaunch(
        id=launch_id, version=version, image=image, options=options, ports=ports, timezone=timezone,
        protected=protected, health=health,
    )  # fmt: skip
    workload = addon_job if config.startup == "once" else addon_deployment
    # Docker lets everybody reach what is not healthy, and a check may fail here for reasons of its own.
    service = addon_service(config, container_ports(config, ports), site, while_unready=health is not None)
    return (*([service] if service else []), workload(config, launch, site))


def directories(config: AddonConfig) -> tuple[str, ...]:
    """Folders on the shared volume, relative to its root, that must exist before a pod of this add-on is made."""
    return tuple(sorted({folder.sub_path for folder in folders(config)}))


def stopped(objects: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """The same objects with nothing running: no replicas, no Job."""
    return tuple(
        {**item, "spec": {**item["spec"], "replicas": 0}} if item["kind"] == "Deployment" else item
        for item in objects
        if item["kind"] != "Job"
    )
