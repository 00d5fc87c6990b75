"""What we make of the Gateway API, by the definitions of its project on a real API server."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.kinds import GATEWAY_API, OPTIONAL
from supervisor_k8s.model.desired.balanced import L4Choice, Mode
from supervisor_k8s.model.desired.l4_gateway import gateway_objects
from supervisor_k8s.model.desired.public_route import PublicChoice, public_objects
from supervisor_k8s.model.naming import owner_selector
from supervisor_k8s.model.plan import Plan, Workload, plan
from supervisor_k8s.model.ports import Reservation
from supervisor_k8s.model.status import Live
from tests import builders
from tests.cluster import gatewayapi
from tests.cluster.controlplane import ControlPlane
from tests.cluster.paths import from_environment
from tests.cluster.steps import Console, Context
from tests.integration.conftest import PACE, running
from tests.integration.definitions import defined
from tests.kubeconfig import client_of

PATIENCE = 60.0
KINDS = tuple(kind.name for kind in OPTIONAL)
MQTT = Reservation(1883, "tcp", "core_mosquitto", 1883)
NAMES = Reservation(53, "tcp", "a0d7b954_adguard", 53), Reservation(53, "udp", "a0d7b954_adguard", 53)
CHOICE = L4Choice(
    mode=Mode.GATEWAY, gateway_class="any", address="192.168.100.130", annotations={"example.com/pool": "lan"}
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the project."""
    console = Console()
    yield gatewayapi.definitions(Context(from_environment(), console, log_directory=tmp_path_factory.mktemp("fetched")))
    console.close()


@pytest.fixture
async def served(plane: ControlPlane, admin: Client, namespace: str, published: Path) -> AsyncIterator[Cluster]:
    """A cluster with the Gateway API, as we see it."""
    wanted = (f"{GATEWAY_API}_{kind.plural}.yaml" for kind in OPTIONAL)
    # By libyaml, as the files have hundreds of kilobytes.
    found = [yaml.load((published / name).read_text(), Loader=yaml.CSafeLoader) for name in wanted]
    client = client_of(plane.kubeconfig)
    cluster = Cluster(client=client, namespace=namespace, optional=KINDS, pace=PACE)
    async with defined(admin, *found), running(cluster):
        await cluster.until(lambda: all(cluster.serving(kind).api for kind in KINDS) or None, within=PATIENCE)
        yield cluster
    await client.close()


@pytest.mark.timeout(240)
async def test_every_object_is_valid_and_written_once(served: Cluster) -> None:
    """What the API server adds is no reason to write it again; neither is a port that comes before others, or goes."""
    site = builders.site(namespace=served.namespace)
    for hostname in ("ha.example.com", "*.example.com", None):
        public = PublicChoice(wanted=True, gateway_class="any", hostname=hostname, secret="ha-example-com-tls")
        await becomes(served, public_objects(public, site))
    for held in ((MQTT,), (*NAMES, MQTT), NAMES[1:]):
        await becomes(served, gateway_objects(held, CHOICE, site))


async def becomes(cluster: Cluster, objects: Sequence[Any]) -> None:
    """As the reconciler makes a workload; afterwards there is nothing to do."""
    workload = Workload(key="any", labels=owner_selector(), objects=tuple(objects), running=False)
    todo = plan(known(cluster), workload)
    for manifest in todo.apply:
        await cluster.apply(manifest)
    for live in todo.delete:
        await cluster.delete(live)
    await cluster.until(lambda: plan(known(cluster), workload) == Plan() or None, within=PATIENCE)


def known(cluster: Cluster) -> Sequence[Live]:
    return [live for kind in KINDS for live in cluster.select(kind, {})]
