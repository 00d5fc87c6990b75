"""Manifests: real ones come out as Home Assistant's own schema has them; wrong ones say what would be right."""

import json
from typing import Any

import pytest
import yaml

from supervisor_k8s.errors import ManifestError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_schema import normalise
from tests.builders import manifest
from tests.real_addons import entries

ENTRIES = entries()


def test_the_corpus_is_complete() -> None:
    """All 110 real manifests are tested."""
    assert len(ENTRIES) == 110


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["full_slug"])
def test_a_real_manifest_is_read_as_home_assistant_reads_it(entry: dict[str, Any]) -> None:
    """Key for key what the real schema makes of it, in types that JSON has."""
    normalised = normalise(entry["config"])
    assert normalised == entry["normalised"]
    assert json.loads(json.dumps(normalised)) == normalised


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["full_slug"])
def test_what_is_recorded_reads_the_same_again(entry: dict[str, Any]) -> None:
    """A record is read at every start of ours: the full slug and the manifest survive it."""
    repository = entry["full_slug"].removesuffix("_" + entry["config"]["slug"])
    config = AddonConfig.from_normalised(normalise(entry["config"]), repository=repository)
    assert config.slug == entry["full_slug"]
    assert normalise({**config.raw, "repository": repository}) == config.raw


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ({"version": 1.10}, "version", "1.1"),
        ({"version": 2026}, "version", "2026"),
        ({"startup": "before"}, "startup", "services"),
        ({"startup": "after"}, "startup", "application"),
        ({"auto_uart": True}, "uart", True),
        ({"devices": ["/dev/ttyAMA0:/dev/ttyAMA0:rwm"]}, "devices", ["/dev/ttyAMA0"]),
        ({"tmpfs": "size=16m"}, "tmpfs", True),
        ({"snapshot": "cold"}, "backup", "cold"),
        ({"snapshot_exclude": ["*.log"]}, "backup_exclude", ["*.log"]),
        ({"map": ["share", "ssl:ro"]}, "map", [{"type": t, "read_only": True} for t in ("share", "ssl")]),
        ({"map": ["share:rw"]}, "map", [{"type": "share", "read_only": False}]),
        ({"map": ["nonsense", "share:x", {"path": "/x"}, 5]}, "map", []),
        ({"map": [{"type": "data", "path": "/d"}]}, "map", [{"type": "data", "path": "/d", "read_only": True}]),
        ({"schema": False}, "schema", False),
        ({"ports": {"80/tcp": None, "53/udp": "53", "8080": 80}}, "ports", {"80/tcp": None, "53/udp": 53, "8080": 80}),
        ({"ulimits": {"nofile": "9"}}, "ulimits", {"nofile": 9}),
        ({"ulimits": {"rt": {"soft": 1, "hard": "2"}}}, "ulimits", {"rt": {"soft": 1, "hard": 2}}),
        ({"timeout": "30"}, "timeout", 30),
        ({"init": "no"}, "init", False),
        ({"image": "localhost:5000/{arch}/x"}, "image", "localhost:5000/{arch}/x"),
    ],
)  # fmt: skip
def test_a_spelling_has_one_normal_form(given: dict[str, Any], key: str, value: Any) -> None:
    """Old and loose spellings come out as today's."""
    assert normalise(manifest(**given))[key] == value


@pytest.mark.parametrize("key", ["codenotary", "auto_uart", "made_up"])
def test_unknown_keys_are_dropped(key: str) -> None:
    """What Home Assistant does not know is no error, and is not kept."""
    assert key not in normalise(manifest(**{key: True}))


@pytest.mark.parametrize(
    ("given", "key", "value", "right"),
    [
        ({"name": ""}, "name", "''", "a text that is not empty"),
        ({"version": None}, "version", "None", "a version such as"),
        ({"version": True}, "version", "True", "a version such as"),
        ({"slug": "no spaces"}, "slug", "'no spaces'", "letters, digits"),
        ({"slug": "../up"}, "slug", "'../up'", "letters, digits"),
        ({"slug": "x" * 201}, "slug", f"'{'x' * 79}…", "at most 200 letters, digits"),
        ({"arch": ["amd64", "z80"]}, "arch[1]", "'z80'", "aarch64, amd64"),
        ({"arch": "amd64"}, "arch", "'amd64'", "a list of"),
        ({"machine": ["toaster"]}, "machine", "['toaster']", "machine names"),
        ({"machine": ["green", "green"]}, "machine", "['green', 'green']", "each once"),
        ({"boot": "forced"}, "boot", "'forced'", "one of auto, manual, manual_only"),
        ({"startup": "later"}, "startup", "'later'", "one of initialize"),
        ({"startup": []}, "startup", "[]", "one of initialize"),
        ({"ports": {"8000-8010/tcp": 1}}, "ports.8000-8010/tcp", "1", "container ports such as"),
        ({"ports": {"80/sctp": None}}, "ports.80/sctp", "None", "container ports"),
        ({"ports": {80: None}}, "ports[80]", "None", "container ports"),
        ({"ports": {"99999/tcp": None}}, "ports.99999/tcp", "None", "container ports"),
        ({"ports": {"80/tcp": 70000}}, "ports.80/tcp", "70000", "with a port or null"),
        ({"apparmor": "profile"}, "apparmor", "'profile'", "true or false"),
        ({"map": "share"}, "map", "'share'", "a list of folders"),
        ({"map": [{"type": "moon"}]}, "map[0].type", "'moon'", "a list of folders"),
        ({"map": [{"type": "ssl", "read_only": "yes"}]}, "map[0].read_only", "'yes'", "read_only: false"),
        ({"environment": {"A": 1}}, "environment.A", "1", "names to texts"),
        ({"privileged": ["ROOT"]}, "privileged[0]", "'ROOT'", "SYS_ADMIN"),
        ({"hassio_role": "king"}, "hassio_role", "'king'", "one of default"),
        ({"services": ["mqtt"]}, "services[0]", "'mqtt'", "mqtt:want"),
        ({"schema": True}, "schema", "True", "false, or a mapping"),
        ({"schema": {"a": "int(5)"}}, "schema.a", "'int(5)'", "options to types"),
        ({"schema": {"a": "str(5)"}}, "schema.a", "'str(5)'", "options to types"),
        ({"schema": {"a": "list()"}}, "schema.a", "'list()'", "options to types"),
        ({"schema": {"a": "device(x)"}}, "schema.a", "'device(x)'", "options to types"),
        ({"schema": {"a": [["str"]]}}, "schema.a[0]", "['str']", "options to types"),
        ({"schema": {"a": {"b": 5}}}, "schema.a.b", "5", "options to types"),
        ({"image": "Upper/case"}, "image", "'Upper/case'", "lower case without tag"),
        ({"image": "name/of:tag"}, "image", "'name/of:tag'", "without tag"),
        ({"image": "ghcr.io/"}, "image", "'ghcr.io/'", "an image name"),
        ({"image": ""}, "image", "''", "an image name"),
        ({"ulimits": {"a": {"soft": 1}}}, "ulimits.a.hard", "{'soft': 1}", "soft and hard"),
        ({"timeout": 5}, "timeout", "5", "10 to 300 seconds"),
        ({"timeout": float("inf")}, "timeout", "inf", "10 to 300 seconds"),
        ({"watchdog": "ping://[HOST]"}, "watchdog", "'ping://[HOST]'", "tcp://[HOST]:80"),
        ({"webui": "http://[HOST]:80"}, "webui", "'http://[HOST]:80'", "[PORT:80]"),
        ({"ingress_port": 70000}, "ingress_port", "70000", "a port, or 0"),
        ({"options": []}, "options", "[]", "a mapping"),
        ({"url": "nowhere"}, "url", "'nowhere'", "a URL"),
        ({"devices": [5]}, "devices[0]", "5", "a list of device paths"),
    ],
)  # fmt: skip
def test_a_wrong_manifest_says_what_would_be_right(given: dict[str, Any], key: str, value: str, right: str) -> None:
    """The error names the key, shows its value and says what it must be."""
    with pytest.raises(ManifestError) as caught:
        normalise(manifest(**given))
    assert (caught.value.fields["key"], caught.value.fields["value"]) == (key, value)
    assert right in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00+00:00"),
        ("!!pairs [a: 1]", [["a", 1]]),
        ("{80: http, 1.5: x, 2026-11-21: y}", {"80": "http", "1.5": "x", "2026-11-21": "y"}),
        ("{on: x}", {"true": "x"}),
        ("[18446744073709551615]", [2**64 - 1]),
    ],
)
def test_what_yaml_has_beyond_json_is_kept_as_text(text: str, value: Any) -> None:
    """Dates, and keys that are no texts: as JSON would have them."""
    options = normalise(manifest(options={"a": {"b": yaml.safe_load(text)}}))["options"]
    assert options == {"a": {"b": value}}
    assert json.loads(json.dumps(options)) == options


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("!!set {a}", "options.a[0]", "{'a'}"),
        ("!!binary aGFsbG8=", "options.a[0]", "b'hallo'"),
        (".nan", "options.a[0]", "nan"),
        ("-.inf", "options.a[0]", "-inf"),
        ("18446744073709551616", "options.a[0]", "18446744073709551616"),
        ("{~: x}", "options.a[0]", "{None: 'x'}"),
        ("{1: x, '1': y}", "options.a[0]", "{1: 'x', '1': 'y'}"),
        ("{.nan: x}", "options.a[0]", "{nan: 'x'}"),
    ],
)
def test_what_json_cannot_hold_is_refused(text: str, key: str, value: str) -> None:
    """It would fail when an install writes it down: the store says so before."""
    with pytest.raises(ManifestError) as caught:
        normalise(manifest(options={"a": [yaml.safe_load(text)]}))
    assert (caught.value.fields["key"], caught.value.fields["value"]) == (key, value)
    assert "as JSON has them" in str(caught.value)


def test_numbers_of_other_keys_have_bounds_too() -> None:
    """A limit that no file of ours can hold."""
    with pytest.raises(ManifestError, match=r"ulimits\.nofile is 1000"):
        normalise(manifest(ulimits={"nofile": 10**30}))


@pytest.mark.parametrize("key", ["name", "version", "slug", "description", "arch"])
def test_a_required_key_that_is_missing(key: str) -> None:
    """The five required keys are asked for by name."""
    given = manifest()
    del given[key]
    with pytest.raises(ManifestError, match=f"Manifest key {key} is missing; it must be"):
        normalise(given)


@pytest.mark.parametrize("raw", [None, [], "text"])
def test_what_is_no_mapping_is_refused(raw: Any) -> None:
    """A file with something else in it is refused in words."""
    with pytest.raises(ManifestError, match="must be a mapping"):
        normalise(raw)


def test_a_long_wrong_value_is_cut() -> None:
    """An error stays readable whatever stands in the file."""
    with pytest.raises(ManifestError) as caught:
        normalise(manifest(slug="x y" * 500))
    assert len(str(caught.value)) < 250


def test_a_published_port_where_ingress_ports_are_drawn_is_refused() -> None:
    """Otherwise the drawn port could be open without a login."""
    ports = {"62000/tcp": 62000}
    with pytest.raises(ManifestError, match="outside 62000-65500"):
        normalise(manifest(ingress=True, ingress_port=0, ports=ports))
    assert normalise(manifest(ingress=False, ingress_port=0, ports=ports))["ports"] == ports


def test_the_given_manifest_is_not_changed() -> None:
    """Callers keep what they gave, and defaults are not shared between two manifests."""
    given = manifest(snapshot="hot", map=["share"])
    before = json.dumps(given)
    first, second = normalise(given), normalise(given)
    first["options"]["x"] = 1
    assert json.dumps(given) == before
    assert second["options"] == {}
