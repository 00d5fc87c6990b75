"""Home Assistant Core's manifests and the core-link's configuration, as golden files."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from supervisor_k8s.model.desired.core import core_services, desired_core, stopped_core
from supervisor_k8s.model.desired.link import (
    CorePort,
    KeyPair,
    LinkKeys,
    core_port,
    has_socket,
    link_config,
    link_secrets,
    nginx_text,
)
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.intent import CoreRecord, Manifest, Wanted
from supervisor_k8s.model.naming import core_labels
from supervisor_k8s.model.recovery import core_token_secret, recovered_core
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.token import digest
from tests import golden

SITE = Site(
    namespace="home-assistant",
    cluster_domain="cluster.local",
    supervisor_image="registry.test/supervisor:1",
    supervisor_address="10.96.0.20",
    shared_claim="shared",
    dns_address="10.96.0.30",
)
TODAY, OLDER = "2026.11.0", "2026.2.3"


def launched(version: str, record: CoreRecord, site: Site = SITE) -> tuple[Manifest, ...]:
    image = f"registry.test/core:{version}"
    return desired_core(record, launch_id="0123abcd", version=version, image=image, site=site)


@pytest.mark.parametrize("version", [TODAY, OLDER])
def test_core_is_a_statefulset_with_the_link_beside_it(version: str) -> None:
    """One pod: link, wait, Core; the socket's variable only for a Core that has the socket."""
    record = CoreRecord(version=version, timezone="Europe/Zurich")
    golden.check(f"core/statefulset-{version}.yaml", golden.manifests(launched(version, record)))


def test_ports_that_core_publishes_are_its_services() -> None:
    """Under the same number, once, and not in place of those that are always there."""
    site = replace(SITE, core_ports=("1400/tcp", "8555/tcp", "8555/udp", "8123/tcp"))
    service, headless = core_services(CorePort(80, tls=False), site)
    found = {item["name"]: (item["port"], item["protocol"], item["targetPort"]) for item in service["spec"]["ports"]}
    assert found == {
        "http": (80, "TCP", 80),
        "http-legacy": (8123, "TCP", 80),
        "p1400-tcp": (1400, "TCP", 1400),
        "p8555-tcp": (8555, "TCP", 8555),
        "p8555-udp": (8555, "UDP", 8555),
    }
    assert headless == core_services(CorePort(80, tls=False), SITE)[1]


def test_the_nodes_network_is_given_where_it_is_chosen() -> None:
    """It is the whole difference: Core's names stay ours."""
    plain, on_node = (
        launched(TODAY, CoreRecord(version=TODAY), replace(SITE, core_host_network=chosen))[0]["spec"]["template"][
            "spec"
        ]
        for chosen in (False, True)
    )
    assert on_node == {"hostNetwork": True, **plain}


def test_the_same_input_gives_the_same_bytes() -> None:
    """A launch is frozen: rendering it twice makes no difference."""
    record = CoreRecord(version=TODAY)
    assert golden.manifests(launched(TODAY, record)) == golden.manifests(launched(TODAY, record))


def test_choices_of_the_record_reach_the_pod() -> None:
    """The second log file and the SELinux level are asked for where they are set, and only there."""
    plain = golden.manifests(launched(TODAY, CoreRecord(version=TODAY)))
    chosen = launched(TODAY, CoreRecord(version=TODAY, duplicate_log_file=True), replace(SITE, selinux_level="s0:c1"))
    assert "HA_DUPLICATE_LOG_FILE" not in plain
    assert "seLinuxOptions" not in plain
    assert "HA_DUPLICATE_LOG_FILE" in golden.manifests(chosen)
    assert "level: s0:c1" in golden.manifests(chosen)


def test_core_in_a_second_network() -> None:
    """Its pod asks Multus for it; no add-on's network is Core's."""
    site = replace(SITE, networks={"homeassistant": "lan@net1", "core_finder": "iot"})
    (made,) = launched(TODAY, CoreRecord(version=TODAY), site)
    assert made["spec"]["template"]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == "lan@net1"


def test_a_stopped_core_has_no_pod_and_the_same_template() -> None:
    """Stopping changes the number and nothing else."""
    objects = launched(TODAY, CoreRecord(version=TODAY))
    (before,), (after,) = objects, stopped_core(objects)
    assert after["spec"]["replicas"] == 0
    assert after["spec"]["template"] == before["spec"]["template"]


def test_services_lead_to_cores_own_port() -> None:
    """Port 80 and 8123 of the Service reach Core wherever it listens."""
    golden.check("core/services.yaml", golden.manifests(core_services(CorePort(8443, tls=True), SITE)))


@pytest.mark.parametrize(
    ("case", "version", "port"),
    [
        ("socket", TODAY, CorePort(80, tls=False)),
        ("socket-tls", TODAY, CorePort(8443, tls=True)),
        ("tcp", OLDER, CorePort(8123, tls=False)),
        ("tcp-tls", OLDER, CorePort(8123, tls=True)),
    ],
)
def test_the_link_follows_cores_version_and_port(case: str, version: str, port: CorePort) -> None:
    """The door for the Supervisor leads to the socket, or to the port as 127.0.0.2 where there is no socket."""
    golden.check(f"core/{case}.nginx.conf", nginx_text(version, port, SITE))


def test_the_link_is_mounted_as_it_is_named() -> None:
    """The ConfigMap carries the one file that the sidecar reads."""
    config = link_config("text", SITE)
    assert (config["metadata"]["name"], config["data"]) == ("core-link", {"nginx.conf": "text"})


def test_each_end_gets_its_own_key_and_the_authoritys_certificate() -> None:
    """Core's pod gets the server's key; the client's and the authority's stay in Secrets it does not mount."""
    keys = LinkKeys(KeyPair("A", "a"), KeyPair("S", "s"), KeyPair("C", "c"))
    found = {item["metadata"]["name"]: _decoded(item["data"]) for item in link_secrets(keys, SITE)}
    assert found == {
        "core-link-server": {"tls.crt": "S", "tls.key": "s", "ca.crt": "A"},
        "core-link-client": {"tls.crt": "C", "tls.key": "c", "ca.crt": "A"},
        "core-link-ca": {"tls.crt": "A", "tls.key": "a", "ca.crt": "A"},
    }
    assert "key='s'" not in repr(keys)


@pytest.mark.parametrize(
    ("version", "socket", "port"),
    [
        ("2026.2.3", False, 8123),
        ("2026.3.4", False, 8123),
        ("2026.4.0b1", True, 8123),
        ("2026.4.0", True, 8123),
        ("2026.7.4", True, 8123),
        ("2026.8.0", True, 80),
        ("2026.11.0", True, 80),
        ("own-build", True, 80),
    ],
)
def test_defaults_change_with_cores_version(version: str, *, socket: bool, port: int) -> None:
    """The socket came with 2026.4, port 80 with 2026.8; what cannot be compared is taken for new."""
    assert has_socket(version) is socket
    assert core_port(CoreRecord(version=version), version) == CorePort(port, tls=False)


def test_what_core_reported_beats_the_default() -> None:
    """Core posts its port and TLS at each start."""
    assert core_port(CoreRecord(version=TODAY, port=8443, ssl=True), TODAY) == CorePort(8443, tls=True)


def live(objects: tuple[Manifest, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    secret = token_secret("homeassistant", core_labels(), "0123abcd", "feed")
    return dict(objects[0]), dict(secret)


def test_a_lost_record_is_rebuilt_from_the_cluster() -> None:
    """A damaged core.json must not replace a Core that runs: launch, token and template come out the same."""
    objects = launched(TODAY, CoreRecord(version=TODAY, timezone="Europe/Zurich"))
    stateful_set, secret = live(objects)
    record = recovered_core(stateful_set, secret, uuid="1", site=SITE)
    assert record is not None
    assert record.intent.launch is not None
    assert core_token_secret(stateful_set) == "homeassistant-0123abcd"
    assert record.intent.launch.objects == (secret, *objects)
    assert record.intent.launch.token_digest == digest("feed")
    assert (record.version, record.timezone, record.intent.wanted) == (TODAY, "Europe/Zurich", Wanted.RUNNING)


def test_nothing_is_rebuilt_from_nothing() -> None:
    """Without StatefulSet or token there is no launch to adopt."""
    stateful_set, secret = live(launched(TODAY, CoreRecord(version=TODAY)))
    assert recovered_core(None, secret, uuid="1", site=SITE) is None
    assert recovered_core(stateful_set, None, uuid="1", site=SITE) is None
    assert recovered_core(stateful_set, {"data": {}}, uuid="1", site=SITE) is None


def _decoded(data: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
