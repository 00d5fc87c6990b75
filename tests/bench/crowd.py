"""Many installed add-ons at once: their records as our own starts would leave them, and their manifests in the store.

Installing a thousand through the API would pull a thousand images first; what is asked here begins after that.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_schema import normalise
from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted
from supervisor_k8s.model.launch import new_launch
from supervisor_k8s.model.site import Site
from supervisor_k8s.services.ingress_doors import new_keys
from supervisor_k8s.state.records import Records
from tests import builders
from tests.real_addons import entries


def configs(count: int) -> Iterator[AddonConfig]:
    """So many different add-ons of the local store, with the contents of real manifests as far as there are enough."""
    models = [entry["config"] for entry in entries()]
    for number in range(count):
        model = models[number % len(models)]
        kept = ("name", "description", "version", "startup", "ports", "ports_description", "url", "options", "schema")
        own = {key: model[key] for key in kept if model.get(key)}
        own |= {"slug": f"crowd{number:04}", "startup": own.get("startup", "services")}
        if own["startup"] == "once":
            own["startup"] = "application"
        if model.get("ingress"):
            own |= {"ingress": True, "ingress_port": 8099}
        yield AddonConfig.from_normalised(normalise(builders.manifest(**own)), repository="local")


def record(config: AddonConfig, number: int, site: Site, *, wanted: Wanted = Wanted.RUNNING) -> InstalledAddon:
    """An add-on that was installed and started."""
    made = builders.installed(config, ingress_token=f"ingress-{number}")
    launch = new_launch(
        made,
        options=dict(config.options),
        launch_id=f"{number:08x}",
        token=f"{number:0112x}",
        timezone="UTC",
        site=site,
        link_keys=new_keys(config, site),
    )
    return InstalledAddon(slug=made.slug, user=made.user, system=made.system, intent=Intent(wanted, launch))


async def settle(  # noqa: PLR0913 - how many, where, and which
    count: int, *, site: Site, state: Path, share: Path | None = None, first: int = 0, every: int = 1
) -> dict[str, str]:
    """Have add-ons number `first` to `count` (without it) installed for the Supervisor's next start; every `every`-th
    runs, the others were stopped. With a `share` the local store there offers them, too. Slug to state of these.
    """
    records, states = await Records.load(state), {}
    for number, config in enumerate(configs(count)):
        if number < first:
            continue
        if share is not None:
            folder = share / "addons" / "local" / str(config.raw["slug"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.yaml").write_text(yaml.safe_dump(dict(config.raw)))
        runs = number % every == 0
        await records.save_addon(record(config, number, site, wanted=Wanted.RUNNING if runs else Wanted.STOPPED))
        states[config.slug] = "started" if runs else "stopped"
    return states
