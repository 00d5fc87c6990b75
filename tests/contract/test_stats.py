"""What programs use, from the kubelets and the cluster's metrics API."""

from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model import naming
from tests.contract.house import CLI_TOKEN, Home

SLUG = "core_panel"


def measure(home: Home, pod: str, container: str) -> None:
    usage = {"cpu": "100m", "memory": "64Mi"}
    home.cluster.metrics[pod] = {"containers": [{"name": container, "usage": usage}]}


async def test_figures(home: Home) -> None:
    """Of Core, an add-on and ourselves, in the shape that clients parse."""
    await home.install(SLUG, start=True)
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    measure(home, pod["metadata"]["name"], naming.ADDON_CONTAINER)
    measure(home, "homeassistant-0", "homeassistant")
    measure(home, "supervisor-0", "supervisor")
    client = home.client()
    for found in (
        await client.addons.addon_stats(SLUG),
        await client.homeassistant.stats(),
        await client.supervisor.stats(),
    ):
        assert (found.memory_usage, found.network_rx, found.blk_read) == (64 * 2**20, 0, 0)
        assert 0 < found.cpu_percent <= 10
        assert 0 < found.memory_percent < 100


async def test_figures_of_the_kubelets(home: Home) -> None:
    """Where we may ask them they come first, and tell the network, too; one that cannot be asked is no hindrance."""
    measure(home, "homeassistant-0", "homeassistant")
    measured = {"name": "homeassistant", "cpu": {"usageNanoCores": 1}, "memory": {"workingSetBytes": 5}}
    home.cluster.stats["homeassistant-0"] = {
        "containers": [measured],
        "network": {"name": "eth0", "rxBytes": 7, "txBytes": 8},
    }
    found = await home.client().homeassistant.stats()
    assert (found.memory_usage, found.network_rx, found.network_tx) == (5, 7, 8)
    home.cluster.fail("pod_stats", ClusterUnavailableError("certificate signed by unknown authority"))
    found = await home.client().homeassistant.stats()
    assert (found.memory_usage, found.network_rx) == (64 * 2**20, 0)


async def test_a_cluster_without_a_metrics_api(home: Home) -> None:
    """Zeros, also when we may not ask."""
    await home.install(SLUG, start=True)
    client = home.client(CLI_TOKEN)
    assert (await client.addons.addon_stats(SLUG)).memory_usage == 0
    home.cluster.fail("pod_metrics", ClusterRefusedError("pods.metrics.k8s.io is forbidden"))
    assert (await client.homeassistant.stats()).cpu_percent == 0


async def test_an_addon_that_does_not_run(home: Home) -> None:
    """400 by its key."""
    await home.install(SLUG)
    answer = await home.raw("GET", f"/addons/{SLUG}/stats")
    assert (answer.status, answer.json["error_key"]) == (400, "app_not_running_error")
