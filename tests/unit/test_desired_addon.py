"""Rules of add-on manifests that hold for every add-on; the shapes themselves are the golden files."""

import json
from typing import Any

import pytest

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.compose import desired_addon, directories, stopped
from supervisor_k8s.model.desired.network import addons_service
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.launch import new_launch
from tests.builders import LAUNCH, TOKEN, addon, installed, launch, site
from tests.real_addons import real_addons


def rendered(config: AddonConfig, **options: Any) -> tuple[Manifest, ...]:
    return desired_addon(
        config,
        launch_id=LAUNCH,
        version=config.version,
        image="example/app:1",
        options=options,
        ports=config.ports,
        timezone="UTC",
        site=site(),
    )


def program(config: AddonConfig, **options: Any) -> Manifest:
    container: Manifest = rendered(config, **options)[-1]["spec"]["template"]["spec"]["containers"][0]
    return container


@pytest.mark.parametrize("config", real_addons().values(), ids=lambda config: config.slug)
def test_no_list_has_a_key_twice(config: AddonConfig) -> None:
    """Kubernetes answers 500 to duplicates under server-side apply: no environment, mount, port or volume is double."""
    *services, workload = rendered(config)
    spec = workload["spec"]["template"]["spec"]
    container = spec["containers"][0]
    lists = [
        [item["name"] for item in container["env"]],
        [item["mountPath"] for item in container["volumeMounts"]],
        [(item["containerPort"], item["protocol"]) for item in container.get("ports", ())],
        [item["name"] for item in spec["volumes"]],
        *([item["name"] for item in service["spec"]["ports"]] for service in services),
    ]
    assert all(len(keys) == len(set(keys)) for keys in lists)
    assert {item["name"] for item in container["volumeMounts"]} <= {item["name"] for item in spec["volumes"]}
    assert all(service["spec"]["ports"] for service in services)


@pytest.mark.parametrize("slug", real_addons())
def test_names_fit_kubernetes(slug: str) -> None:
    """Object names, host name and label values are legal for every real slug."""
    labels = [naming.launch_secret(naming.addon_name(slug), LAUNCH), naming.pod_hostname(slug)]
    for label in labels:
        assert len(label) <= 63
        assert label.replace("-", "a").isalnum()
        assert label == label.lower().strip("-")


@pytest.mark.parametrize("protected", [True, False])
def test_full_access_waits_for_the_protection_mode(protected: bool) -> None:
    """What somebody has chosen for the installed add-on counts at its next start."""
    record = installed(addon(full_access=True), protected=protected)
    started = new_launch(
        record,
        options={},
        launch_id=LAUNCH,
        token=TOKEN,
        timezone="UTC",
        site=site(allowed={"privileged"}),
        link_keys=None,
    )
    container = started.objects[-1]["spec"]["template"]["spec"]["containers"][0]
    assert ("securityContext" not in container) is protected


def test_the_token_is_in_the_secret_only() -> None:
    """The token stands in no other object, not even encoded."""
    secret, *others = launch(addon(ports={"80/tcp": 80})).objects
    encoded = secret["data"]["token"]
    assert "immutable" not in secret  # a kubelet would not see its end
    assert all(TOKEN not in json.dumps(item) and encoded not in json.dumps(item) for item in others)


def test_an_addon_without_ports_has_no_service() -> None:
    """Kubernetes refuses a Service without ports."""
    assert [item["kind"] for item in rendered(addon())] == ["Deployment"]


def test_the_ingress_port_is_a_port_of_the_addon() -> None:
    """Ingress reaches it through Service and pod; a port declared twice is there once, an open one (0) not yet."""
    both = rendered(addon(ingress=True, ports={"8099/tcp": None}))
    assert [port["port"] for port in both[0]["spec"]["ports"]] == [8099]
    assert [item["kind"] for item in rendered(addon(ingress=True, ingress_port=0))] == ["Deployment"]


def test_tcp_and_udp_of_one_number_are_two_ports() -> None:
    """A name server has 53 twice."""
    service = rendered(addon(ports={"53/udp": 53, "53": 53}))[0]
    assert [(port["name"], port["protocol"]) for port in service["spec"]["ports"]] == [
        ("p53-tcp", "TCP"),
        ("p53-udp", "UDP"),
    ]


def test_stopped_means_no_replicas_and_no_job() -> None:
    """What remains of a stopped add-on is everything but its running part; the given objects stay as they are."""
    objects = rendered(addon(ports={"80/tcp": 80}))
    assert [(item["kind"], item["spec"].get("replicas")) for item in stopped(objects)] == [
        ("Service", None),
        ("Deployment", 0),
    ]
    assert objects[-1]["spec"]["replicas"] == 1
    assert stopped(rendered(addon(startup="once"))) == ()


def test_stopping_keeps_the_token_until_the_pod_is_gone() -> None:
    """Finish scripts still call us: the Secret stays among the objects of a stopped add-on."""
    assert [item["kind"] for item in stopped(launch().objects)] == ["Secret", "Deployment"]


@pytest.mark.parametrize(
    ("watchdog", "port"),
    [
        (None, None),
        ("tcp://[HOST]:1883", "1883"),
        ("tcp://[HOST]:[PORT:1883]", "1883"),
        ("http://[HOST]:[PORT:80]/a?b=c", "80"),
        ("https://[HOST]:443", "443"),
        ("[PROTO:ssl]://[HOST]:8/", "8"),
    ],
)
def test_ready_means_that_the_watchdog_port_is_listened_on(watchdog: str | None, port: str | None) -> None:
    """`hold` is asked, never the program: its log stays its own, and no probe could end its container."""
    spec = rendered(addon(**({"watchdog": watchdog} if watchdog else {})))[-1]["spec"]["template"]["spec"]
    containers = {item["name"]: item for item in spec["containers"]}
    assert containers["hold"]["command"][1:] == ([] if port is None else ["--ready", "4384", port])
    assert ("readinessProbe" in containers["hold"]) is (port is not None)
    assert not {"readinessProbe", "livenessProbe", "startupProbe"} & containers["addon"].keys()
    assert not {"livenessProbe", "startupProbe"} & containers["hold"].keys()


@pytest.mark.parametrize("startup", ["application", "once"])
def test_an_init_addon_gets_a_reaper(startup: str) -> None:
    """`init: true` shares the process namespace, s6 images must not."""
    for init in (True, False):
        spec = rendered(addon(startup=startup, init=init))[-1]["spec"]["template"]["spec"]
        assert spec.get("shareProcessNamespace", False) is init


def test_directories_are_relative_and_each_once() -> None:
    """The start makes them below the shared volume's root."""
    config = addon(map=["homeassistant_config", "config:rw", "addon_config:rw", "share"])
    assert directories(config) == ("addons/data/local_example", "homeassistant", "share")


@pytest.mark.parametrize(
    ("maps", "mounts"),
    [
        ([], {}),
        (["config:rw", "homeassistant_config", "addon_config"], {"/config": ("homeassistant", False)}),
        (["addon_config:rw"], {"/config": ("addon_configs/local_example", False)}),
        (["addon_config:rw", "app_config"], {"/config": ("addon_configs/local_example", True)}),
        (["addons", "local_apps:rw"], {"/local_apps": ("addons/local", False)}),
        ([{"type": "data", "path": "/app/data/", "read_only": True}], {"/app/data": None}),
        ([{"type": "share", "path": "/data"}], {}),
        (["ssl", "ssl:rw"], {"/ssl": ("ssl", True)}),
    ],
)
def test_which_entry_of_map_has_an_effect(maps: Any, mounts: dict[str, tuple[str, bool] | None]) -> None:
    """Home Assistant's rules for old and new names; one mount per path; `/data` is the add-on's own and writable."""
    own = ("addons/data/local_example", False)
    expected = {path: place or own for path, place in mounts.items()}
    if None not in mounts.values():
        expected["/data"] = own
    shared = [item for item in program(addon(map=maps))["volumeMounts"] if item["name"] == "shared"]
    assert {item["mountPath"]: (item["subPath"], item.get("readOnly", False)) for item in shared} == expected


def test_the_names_service_has_no_address_and_publishes_early() -> None:
    """`core-mosquitto` resolves to the pod while it still starts."""
    service = addons_service(site())
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == ("addons", "None")
    assert service["spec"]["publishNotReadyAddresses"] is True
    pod_labels = rendered(addon())[-1]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pod_labels.items()
