"""The names' server as it is to be in the cluster."""

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.dns import (
    Host,
    addon_hosts,
    corefile,
    dns_config,
    dns_deployment,
    dns_service,
    hosts_text,
    house_hosts,
)
from supervisor_k8s.settings import Settings
from tests import builders, golden
from tests.cluster import versions

SITE = builders.site()
IMAGE = "registry.test/coredns:1"


def test_the_objects_are_these() -> None:
    """Configuration, Service with the address that pods have, two replicas without any right."""
    hosts = (*house_hosts(SITE, "10.96.0.40"), *addon_hosts([("core_mosquitto", "10.244.0.7")]))
    objects = (dns_config(SITE, hosts_text(hosts), ()), dns_service(SITE), dns_deployment(SITE, IMAGE, None))
    golden.check("dns/objects.yaml", golden.manifests(objects))


def test_the_users_servers_are_asked_first_but_never_for_the_clusters_names() -> None:
    """Own domain and addresses go to the cluster's DNS; another domain than `cluster.local` is the one that is used."""
    site = builders.site(cluster_domain="k8s.example")
    golden.check("dns/servers.corefile", corefile(site, ["192.0.2.53", "192.0.2.54"]))


def test_a_first_service_asks_for_no_address() -> None:
    """The cluster chooses one; from then on it is asked for again."""
    assert "clusterIP" not in dns_service(builders.site(dns_address=""))["spec"]
    assert dns_service(SITE)["spec"]["clusterIP"] == "10.96.0.30"


def test_a_restart_is_another_pod_template() -> None:
    """So that the Deployment makes new pods, one after the other."""
    first, second = (dns_deployment(SITE, IMAGE, when)["spec"] for when in (None, "2026-11-21T10:00:00+00:00"))
    assert first["template"]["metadata"] != second["template"]["metadata"]
    assert first["template"]["spec"] == second["template"]["spec"]
    assert first["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_names_of_the_house() -> None:
    """What upstream's server knows, and Core not before its Service has an address."""
    names = {name: host.address for host in house_hosts(SITE, "10.96.0.40") for name in host.names}
    assert names == {
        "localhost": "127.0.0.1",
        "supervisor": "10.96.0.20",
        "hassio": "10.96.0.20",
        "homeassistant": "10.96.0.40",
        "home-assistant": "10.96.0.40",
        "dns": "10.96.0.30",
    }
    assert "homeassistant" not in {name for host in house_hosts(SITE, None) for name in host.names}


def test_names_of_addons() -> None:
    """Underscores are dashes; a digit in front and dots stay; what `hostname` says in the program is a name, too."""
    found = addon_hosts([("core_mosquitto", "10.244.0.7"), ("605cee21_wiki.js", "10.244.0.8")])
    assert set(found) == {
        Host("10.244.0.7", ("core-mosquitto",)),
        Host("10.244.0.8", ("605cee21-wiki.js", "605cee21-wiki-js")),
    }


def test_a_long_name_is_whole() -> None:
    """A label has up to 63 characters, and all of them count; a longer one is reached by what the program has."""
    longest, longer = "local_" + "a" * 57, "local_" + "a" * 60
    (host,) = addon_hosts([(longest, "10.244.0.9")])
    assert host.names == ("local-" + "a" * 57,)
    (host,) = addon_hosts([(longer, "10.244.0.9")])
    assert naming.pod_hostname(longer) in host.names


def test_a_made_up_name_never_hides_a_real_one() -> None:
    """Where the nearest legal name of one add-on is another's real name, it stays the other's."""
    found = {host.address: host.names for host in addon_hosts([("x_a.b", "10.0.0.1"), ("x_a_b", "10.0.0.2")])}
    assert found == {"10.0.0.1": ("x-a.b",), "10.0.0.2": ("x-a-b",)}


def test_every_name_is_there_with_and_without_domain() -> None:
    """One line for each address."""
    text = hosts_text([Host("10.0.0.1", ("a", "b")), Host("10.0.0.2", ("c",))])
    assert text == "10.0.0.1 a a.local.hass.io b b.local.hass.io\n10.0.0.2 c c.local.hass.io\n"


def test_the_local_cluster_has_the_default_image() -> None:
    """End-to-end tests run what users get."""
    default = next(item.default for item in Settings.__dataclass_fields__.values() if item.name == "dns_image")
    assert default == versions.COREDNS_IMAGE
