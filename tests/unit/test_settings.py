"""Settings: everything wrong is named at once, in words that say what would be right."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from supervisor_k8s.model.desired.l4_proxy import UDP_PROFILES
from supervisor_k8s.settings import Settings, SettingsError, without_effect
from tests import settings_table

REQUIRED = {
    "SUPERVISOR_RUNTIME": "kubernetes",
    "SUPERVISOR_MACHINE": "generic-x86-64",
    "SUPERVISOR_K8S_NAMESPACE": "home-assistant",
    "SUPERVISOR_K8S_POD_NAME": "supervisor-0",
    "SUPERVISOR_K8S_SHARED_PVC_CLAIM": "ha-shared-rwx",
}
MANIFEST = Path(__file__).parents[2] / "manifests" / "base" / "deployment.yaml"


def test_required_variables_are_enough() -> None:
    """With the required variables alone the rest has its documented default."""
    settings = Settings.from_environment(REQUIRED)
    assert settings.share == "/data"
    assert settings.port == 8080
    assert "core" in settings.repositories


@pytest.mark.parametrize(
    "given", ["ghcr.io/me", "localhost:32000", "127.0.0.1:5000/a/b_c", "http://registry.registry.svc:5000/home"]
)
def test_registries_for_what_is_built(given: str) -> None:
    """By any name; with a scheme only where pods push."""
    assert Settings.from_environment({**REQUIRED, "SUPERVISOR_K8S_BUILD_PUSH": given}).build_push == given
    if "//" not in given:
        assert Settings.from_environment({**REQUIRED, "SUPERVISOR_K8S_BUILD_REGISTRY": given}).build_registry == given


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Missing and malformed variables stand in one message, a line each."""
    broken = {**REQUIRED, "SUPERVISOR_PORT": "eighty", "SUPERVISOR_K8S_SHARED_PVC_SIZE": "large"}
    del broken["SUPERVISOR_MACHINE"]
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(broken)
    lines = str(caught.value).splitlines()
    assert "SUPERVISOR_MACHINE is missing; it must be set" in lines
    assert "SUPERVISOR_PORT is 'eighty'; it must be a port number from 1 to 65535" in lines
    assert "SUPERVISOR_K8S_SHARED_PVC_SIZE is 'large'; it must be a quantity such as 50Gi" in lines


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SUPERVISOR_RUNTIME", "docker"),
        ("SUPERVISOR_MACHINE", "My Machine"),
        ("SUPERVISOR_PORT", "0"),
        ("SUPERVISOR_PORT", "65536"),
        ("SUPERVISOR_K8S_NAMESPACE", "Home_Assistant"),
        ("SUPERVISOR_K8S_ALLOW_RWO", "perhaps"),
        ("SUPERVISOR_K8S_BUILD_REGISTRY", "https://registry.example.com"),
        ("SUPERVISOR_K8S_BUILD_REGISTRY", "registry.example.com/Home"),
        ("SUPERVISOR_K8S_BUILD_REGISTRY", "registry.example.com/home:1"),
        ("SUPERVISOR_K8S_BUILD_REGISTRY", "registry.example.com/"),
        ("SUPERVISOR_K8S_BUILD_PUSH", "https://registry.example.com"),
        ("SUPERVISOR_K8S_BUILD_TIMEOUT", "soon"),
        ("SUPERVISOR_K8S_PULL_TIMEOUT", "-1"),
        ("SUPERVISOR_K8S_PULL_TIMEOUT", "nan"),
        ("SUPERVISOR_K8S_SUPERVISOR_ADDRESS", "supervisor"),
        ("SUPERVISOR_K8S_REPOSITORIES", "core"),
        ("SUPERVISOR_K8S_REPOSITORIES", '["core"]'),
        ("SUPERVISOR_K8S_REPOSITORIES", '{"core": 1}'),
        ("SUPERVISOR_K8S_ALLOW", "everything"),
        ("SUPERVISOR_K8S_ALLOW", "capabilities;host_network"),
        ("SUPERVISOR_K8S_ALLOW", "an add-on=privileged"),
        ("SUPERVISOR_K8S_ALLOW", "devices"),
        ("SUPERVISOR_K8S_ALLOW", "privileged,devices:/dev/../etc/shadow"),
        ("SUPERVISOR_K8S_ALLOW", "privileged,devices:/etc/shadow"),
        ("SUPERVISOR_K8S_ALLOW", "privileged,devices:/dev/a:b"),
        ("SUPERVISOR_K8S_ALLOW", "devices:serial"),
        ("SUPERVISOR_K8S_ALLOW", "capabilities:SYS_ADMIN"),
        ("SUPERVISOR_K8S_RESOURCES", "1Gi"),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": "1Gi"}'),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": {"memory": "1Gi"}}'),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": {"limits": "1Gi"}}'),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": {"limits": {"memory": 5}}}'),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": {"limits": {"memory": "much"}}}'),
        ("SUPERVISOR_K8S_RESOURCES", '{"core_mariadb": {"limits": {"pods": "1"}}}'),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME", "1st"),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME", "a" * 57),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME", "homeassistant"),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME", "addon-core-ssh"),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_ADDRESS", "fd00::1"),
        ("SUPERVISOR_K8S_INTERNAL_GATEWAY_CLASS", "Cilium"),
        ("SUPERVISOR_K8S_INTERNAL_L4_SERVICE_ANNOTATIONS", '["a"]'),
        ("SUPERVISOR_K8S_INTERNAL_L4_SERVICE_ANNOTATIONS", '{"a": 1}'),
        ("SUPERVISOR_K8S_INTERNAL_L4_SERVICE_ANNOTATIONS", '{"a b": "c"}'),
        ("SUPERVISOR_K8S_INTERNAL_L4_SOURCES", "192.168.0.1/16"),
        ("SUPERVISOR_K8S_INTERNAL_L4_REPLICAS", "0"),
        ("SUPERVISOR_K8S_INTERNAL_L4_MODE", "node-port"),
        ("SUPERVISOR_K8S_CORE_PORTS", "0"),
        ("SUPERVISOR_K8S_CORE_PORTS", "65536/udp"),
        ("SUPERVISOR_K8S_CORE_PORTS", "1400/sctp"),
        ("SUPERVISOR_K8S_CORE_PORTS", "1400-1410"),
        ("SUPERVISOR_K8S_INTERNAL_L4_UDP", "9002"),
        ("SUPERVISOR_K8S_INTERNAL_L4_UDP", "0=one-way"),
        ("SUPERVISOR_K8S_INTERNAL_L4_UDP", "65536=one-way"),
        ("SUPERVISOR_K8S_INTERNAL_L4_UDP", "9002=both-ways"),
        ("SUPERVISOR_K8S_GATEWAY_NAME", "Home_Assistant"),
        ("SUPERVISOR_K8S_GATEWAY_CLASS", "My Class"),
        ("SUPERVISOR_K8S_GATEWAY_HOSTNAME", "https://ha.example.com"),
        ("SUPERVISOR_K8S_GATEWAY_HOSTNAME", "192.168.1.4"),
        ("SUPERVISOR_K8S_GATEWAY_HOSTNAME", "ha.*.example.com"),
        ("SUPERVISOR_K8S_GATEWAY_TLS_SECRET", "a/b"),
        ("SUPERVISOR_K8S_NETWORKS", "lan"),
        ("SUPERVISOR_K8S_NETWORKS", '["lan"]'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": ["lan"]}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": ""}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": "lan,"}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": "Lan"}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": "a/b/c"}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"homeassistant": "lan@eth0"}'),
        ("SUPERVISOR_K8S_NETWORKS", '{"an add-on": "lan"}'),
    ],
)
def test_malformed_values_are_refused(variable: str, value: str) -> None:
    """The message names the variable and the value."""
    with pytest.raises(SettingsError, match=f"{variable} is "):
        Settings.from_environment({**REQUIRED, variable: value})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"INTERNAL_L4_SOURCES": "192.168.0.0/16"}, "INTERNAL_L4_SOURCES would let everybody in"),
        ({"MANAGE_PUBLIC_GATEWAY": "true", "GATEWAY_NAME": "ha-internal"}, "must differ"),
    ],
)
def test_values_that_do_not_go_together(given: dict[str, str], words: str) -> None:
    """An allow-list that nobody would go by, and two Gateways of one name; each is fine in another mode."""
    others = REQUIRED | {f"SUPERVISOR_K8S_{name}": value for name, value in given.items()}
    Settings.from_environment(others)
    with pytest.raises(SettingsError, match=words):
        Settings.from_environment({**others, "SUPERVISOR_K8S_INTERNAL_L4_MODE": "gateway"})


def test_ports_of_core() -> None:
    """With a protocol or without, each once."""
    given = {**REQUIRED, "SUPERVISOR_K8S_CORE_PORTS": "21064, 8555/udp,8555/tcp,8555"}
    assert Settings.from_environment(given).core_ports == ("21064/tcp", "8555/udp", "8555/tcp")


def test_kinds_of_datagrams() -> None:
    """Each is one that the proxy knows."""
    given = {**REQUIRED, "SUPERVISOR_K8S_INTERNAL_L4_UDP": "9002=one-way, 5540=long-lived,53=request-response"}
    found = Settings.from_environment(given).l4_udp
    assert found == ((9002, "one-way"), (5540, "long-lived"), (53, "request-response"))
    assert {kind for _, kind in found} == UDP_PROFILES.keys()


def test_repositories_are_json() -> None:
    """The built-in stores can be replaced."""
    given = {**REQUIRED, "SUPERVISOR_K8S_REPOSITORIES": '{"core": "http://git/core.git"}'}
    assert {"core": "http://git/core.git"} == Settings.from_environment(given).repositories


def test_what_addons_may_have() -> None:
    """Words with commas between, for all or for one; a device by its path takes a privileged container, and whoever
    names one has to say so for the same add-on.
    """
    wanted = {
        "capabilities",
        "core_samba=host_network",
        "devices:squat.ai/serial",
        "a0d7b954_wireguard=devices:/dev/net/tun",
        "core_zwave_js=devices:/dev/serial/by-id/usb-0658_0200-if00",
        "core_zwave_js=privileged",
    }
    given = {**REQUIRED, "SUPERVISOR_K8S_ALLOW": " , ".join(sorted(wanted))}
    assert wanted == Settings.from_environment(given).allow
    for alone in ("core_zwave_js=devices:/dev/ttyUSB0", "devices:/dev/ttyUSB0,core_zwave_js=privileged"):
        with pytest.raises(SettingsError, match=r"it must be with (core_zwave_js=)?privileged beside"):
            Settings.from_environment({**REQUIRED, "SUPERVISOR_K8S_ALLOW": alone})


def test_resources_of_addons() -> None:
    """By slug, as Kubernetes writes them."""
    wanted = {"core_mariadb": {"requests": {"cpu": "50m"}, "limits": {"memory": "1.5Gi", "ephemeral-storage": "2G"}}}
    given = {**REQUIRED, "SUPERVISOR_K8S_RESOURCES": json.dumps(wanted)}
    assert wanted == Settings.from_environment(given).resources


def test_further_networks() -> None:
    """In another namespace or not, with the interface's name or without, one or several."""
    wanted = {"homeassistant": "lan", "core_matter_server": "home/lan.one@net1,iot"}
    given = {**REQUIRED, "SUPERVISOR_K8S_NETWORKS": json.dumps(wanted)}
    assert wanted == Settings.from_environment(given).networks


def test_credentials_are_not_quoted() -> None:
    """A malformed list of stores is quoted without the passwords in it."""
    given = {**REQUIRED, "SUPERVISOR_K8S_REPOSITORIES": '{"core": "https://me:hunter2@git/core.git"'}
    with pytest.raises(SettingsError, match=r"https://\*\*\*@git/core\.git") as caught:
        Settings.from_environment(given)
    assert "hunter2" not in str(caught.value)


def test_readme_has_every_setting() -> None:
    """The README's table is what `python -m tests.settings_table` writes."""
    assert settings_table.table() == settings_table.in_readme()


def test_manifest_names_only_settings_that_exist() -> None:
    """A variable in the Deployment that nobody reads would be a promise nobody keeps."""
    deployment = yaml.safe_load(MANIFEST.read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    known = {item.metadata["variable"] for item in dataclasses.fields(Settings)}
    given = {entry["name"] for entry in container["env"]}
    assert set() == given - known
    assert set(REQUIRED) <= given


SPECIFIED = """
    RUNTIME NAME SHARE MACHINE K8S_STORAGE_MODE K8S_SHARED_PVC_CLAIM K8S_SHARED_PVC_STORAGE_CLASS K8S_SHARED_PVC_SIZE
    K8S_INTERNAL_GATEWAY_ADDRESS K8S_INTERNAL_GATEWAY_NAME K8S_INTERNAL_GATEWAY_CLASS K8S_INTERNAL_L4_IMAGE
    K8S_INTERNAL_L4_SERVICE_ANNOTATIONS K8S_MANAGE_PUBLIC_GATEWAY K8S_GATEWAY_HOSTNAME K8S_GATEWAY_TLS_SECRET
    K8S_HA_TRUSTED_PROXIES
"""


def test_every_variable_of_the_specification() -> None:
    """Each is a setting."""
    settings = {item.metadata["variable"] for item in dataclasses.fields(Settings)}
    assert {f"SUPERVISOR_{name}" for name in SPECIFIED.split()} <= settings


def test_what_is_set_in_vain_is_said() -> None:
    """A variable that is misspelt; others' variables are no matter of ours."""
    given = {**REQUIRED, "SUPERVISOR_K8S_ALOW_RWO": "true"}
    assert [] == without_effect({**REQUIRED, "PATH": "/bin", "SUPERVISOR_TOKEN": "x"})
    assert without_effect(given) == ["SUPERVISOR_K8S_ALOW_RWO has no effect: there is no such setting"]
