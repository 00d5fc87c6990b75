"""The option language: what is accepted, coerced and refused, and the form the frontend draws."""

from typing import Any

import pytest

from supervisor_k8s.errors import AddonOptionsInvalidError
from supervisor_k8s.model.allowance import Grants
from supervisor_k8s.model.options import Secrets, merge, ui_schema, validate

SECRETS = {"pw": "hush", "number": 42, "several": ["hush"], "deep": {"a": "hush"}, "huge": 10**400}


def validated(schema: dict[str, Any] | None, options: dict[str, Any]) -> dict[str, Any]:
    return validate(schema, options, secrets=Secrets(SECRETS), app="local_example")


@pytest.mark.parametrize(
    ("element", "value", "result"),
    [
        ("str", "text", "text"),
        ("str", "", ""),
        ("str(2,3)", "abc", "abc"),
        ("str(,3)", "", ""),
        ("password(3,)", "abc", "abc"),
        ("int", "5", 5),
        ("int", 5.7, 5),
        ("int", True, 1),
        ("int", "18446744073709551615", 2**64 - 1),
        ("int", -(2**63), -(2**63)),
        ("int(-3,)", -3, -3),
        ("float", "1.5", 1.5),
        ("float(.5,1)", 0.5, 0.5),
        ("bool", "yes", True),
        ("bool", "off", False),
        ("bool", 1, True),
        ("email", "me@example.com", "me@example.com"),
        ("url", "mqtt://core-mosquitto:1883", "mqtt://core-mosquitto:1883"),
        ("port", "443", 443),
        ("match(^x)", "xyz", "xyz"),
        ("match(^5$)", 5, "5"),
        ("match()", "anything", "anything"),
        ("list(a|b)", "b", "b"),
        ("list(1|2)", 1, "1"),
        ("list(a|b)\n", "a", "a"),
        (["int"], ["1", 2], [1, 2]),
        (["str", "int"], ["x", "y"], ["x", "y"]),
        ([{"b": "int?"}], [{"b": "1"}, {}], [{"b": 1}, {}]),
        ({"b": "str?"}, {}, {}),
        ({"b": {"c": "int"}}, {"b": {"c": "7"}}, {"b": {"c": 7}}),
        ({"b": "str?"}, {"b": "x", "unknown": 1}, {"b": "x"}),
        ("str", "!secret pw", "hush"),
        ("password", "!secret pw", "hush"),
        ("int", "!secret number", 42),
    ],
)
def test_a_value_that_fits(element: Any, value: Any, result: Any) -> None:
    """A fitting value arrives in the type that the add-on reads."""
    accepted = validated({"a": element}, {"a": value})["a"]
    assert accepted == result
    assert type(accepted) is type(result)


@pytest.mark.parametrize(
    ("element", "value", "reason"),
    [
        ("str", 5, "expected str"),
        ("str(3,)", "ab", "length of value must be at least 3"),
        ("str(,3)", "abcd", "length of value must be at most 3"),
        ("str?", None, "Missing required option 'a'"),
        ("int", None, "Missing required option 'a'"),
        ("int?", "", "expected int"),
        ("int", "5.7", "expected int"),
        ("int(1,5)", 6, "must be at most 5"),
        ("int", [], "expected int"),
        ("int", float("inf"), "expected int"),
        ("int", 2**64, "expected a whole number of at most 64 bits"),
        ("int", "-9223372036854775809", "expected a whole number of at most 64 bits"),
        ("int(1,)", "9" * 5000, "expected int"),
        ("int", 1e20, "expected a whole number of at most 64 bits"),
        ("int", "!secret huge", "expected a whole number of at most 64 bits"),
        ("port", 2**64, "must be at most 65535"),
        ("float", "nan", "expected a finite number"),
        ("float", "-inf", "expected a finite number"),
        ("float(0,)", float("inf"), "expected a finite number"),
        ("float", "!secret huge", "expected a finite number"),
        ("float", "x", "expected float"),
        ("port?", "", "expected int"),
        ("port", 0, "must be at least 1"),
        ("port", 65536, "must be at most 65535"),
        ("list(a|b)?", "", "must be one of"),
        ("list(true|false)", True, "must be one of"),
        ("email?", "", "expected an email"),
        ("email", "me@localhost", "expected an email"),
        ("url?", "", "expected a URL"),
        ("bool?", "", "expected boolean"),
        ("match(^x$)?", "", "does not match regular expression"),
        ("match([)", "x", "broken pattern"),
        ("", "x", "Fatal error for option 'a'"),
        ("?", "x", "Fatal error for option 'a'"),
        ("nonsense", "x", "Fatal error for option 'a'"),
        ("device", "/dev/ttyUSB0", "not given this device, it has no device of the node"),
        ("device(subsystem=tty)", 5, "expected str"),
        ([], [], "Type error for option 'a'"),
        (["int"], 5, "'a' must be a list"),
        (["int"], ["x"], "expected int"),
        ({"b": "int"}, {"b": "x"}, "Option 'a.b': expected int"),
        ({"b": "int"}, [], "'a' must be a mapping"),
        ({"b": "int"}, {}, "Missing option 'b' in a"),
        ("str", "!secret nothing", "Unknown secret 'nothing' in option 'a'"),
        ("str", "!secret number", "expected str"),
        ("match(.*hush.*)", "!secret several", "Unknown secret 'several' in option 'a'"),
        ("bool", "!secret deep", "Unknown secret 'deep' in option 'a'"),
    ],
)
def test_a_value_that_does_not_fit(element: Any, value: Any, reason: str) -> None:
    """The refusal names the option and what is expected."""
    with pytest.raises(AddonOptionsInvalidError) as caught:
        validated({"a": element}, {"a": value})
    assert reason in caught.value.fields["validation_error"]
    assert caught.value.fields["app"] == "local_example"


STICK, PLUGIN = Grants(paths=("/dev/ttyUSB0",)), Grants(resources=("squat.ai/serial",))


@pytest.mark.parametrize(
    ("given", "value", "reason"),
    [
        (STICK, "/dev/ttyUSB0", None),
        (STICK, "/dev/ttyUSB1", "not given this device, it has /dev/ttyUSB0"),
        (PLUGIN, "/dev/ttyUSB7", None),
        (PLUGIN, "tcp://stick:6638", "not given this device"),
    ],
)
def test_a_device_that_the_addon_has(given: Grants, value: str, reason: str | None) -> None:
    """Those it is given by path are known; where a device plugin puts its own is not."""
    options = {"port": value}
    if reason is None:
        accepted = validate({"port": "device"}, options, secrets=Secrets(), app="local_example", given=given)
        assert accepted == options
    else:
        with pytest.raises(AddonOptionsInvalidError, match=reason):
            validate({"port": "device"}, options, secrets=Secrets(), app="local_example", given=given)


@pytest.mark.parametrize(
    ("levels", "reason"), [(50, None), (150, "nested deeper than 100 levels"), (900, "nested deeper")]
)
def test_options_without_end(levels: int, reason: str | None) -> None:
    """Also what no schema knows is kept as it was given, so it has to fit into a file."""
    deep: Any = 1
    for _ in range(levels // 2):
        deep = {"a": [deep]}
    if reason is None:
        assert validated({}, {"a": deep}) == {}
    else:
        with pytest.raises(AddonOptionsInvalidError, match=reason):
            validated({}, {"a": deep})


def test_the_form_offers_the_devices_that_the_addon_has() -> None:
    """To choose from, or to be written where they are not known."""
    chosen = {"name": "port", "required": True, "type": "select", "options": ["/dev/ttyUSB0"]}
    assert ui_schema({"port": "device"}, STICK) == [chosen]
    assert ui_schema({"port": "device"}, PLUGIN) == [{"name": "port", "required": True, "type": "string"}]


@pytest.mark.parametrize(
    ("element", "may_be_absent"),
    [
        ("str", False),
        ("str?", True),
        (["str"], False),
        (["str?"], True),
        ([{"b": "str?"}], False),
        ({"b": "str?"}, False),
        ([], False),
        ("?", True),
    ],
)
def test_which_options_may_be_absent(element: Any, may_be_absent: bool) -> None:
    """Only a type with a question mark, alone or as the item of a list, may be left out; then it stays out."""
    if may_be_absent:
        assert validated({"a": element}, {}) == {}
    else:
        with pytest.raises(AddonOptionsInvalidError, match="Missing option 'a' in root"):
            validated({"a": element}, {})


@pytest.mark.parametrize("schema", [{}, None])
def test_unknown_options_vanish(schema: dict[str, Any] | None) -> None:
    """What the schema does not know does not reach the add-on; `schema: false` knows nothing."""
    assert validated(schema, {"x": 1}) == {}


@pytest.mark.parametrize("element", ["password(100,)", "int", "match(^x)", "list(a|b)", "email"])
def test_a_refusal_never_shows_the_value(element: str) -> None:
    """A wrong value may be a password or a secret: it stands in no message."""
    for value in ("hunter2-hunter2", "!secret pw"):
        with pytest.raises(AddonOptionsInvalidError) as caught:
            validated({"a": element}, {"a": value})
        assert "hunter2" not in str(caught.value)
        assert "hush" not in str(caught.value)


def test_merging_goes_into_mappings_and_replaces_everything_else() -> None:
    """The user's value wins; a default key of a mapping stays; lists are replaced; nothing given is changed."""
    defaults = {"a": 1, "list": [1, 2], "deep": {"x": 1, "y": {"z": 1}}, "was": {"map": 1}}
    chosen = {"list": [3], "deep": {"y": {"new": 2}}, "was": None, "more": True}
    assert merge(defaults, chosen) == {
        "a": 1,
        "list": [3],
        "deep": {"x": 1, "y": {"z": 1, "new": 2}},
        "was": None,
        "more": True,
    }
    assert defaults["deep"] == {"x": 1, "y": {"z": 1}}


@pytest.mark.parametrize(
    ("element", "node"),
    [
        ("str", {"required": True, "type": "string"}),
        ("str(1,5)?", {"lengthMin": 1.0, "lengthMax": 5.0, "optional": True, "type": "string"}),
        ("password", {"required": True, "type": "string", "format": "password"}),
        ("int(0,9)", {"lengthMin": 0.0, "lengthMax": 9.0, "required": True, "type": "integer"}),
        ("float?", {"optional": True, "type": "float"}),
        ("bool", {"required": True, "type": "boolean"}),
        ("email", {"required": True, "type": "string", "format": "email"}),
        ("url", {"required": True, "type": "string", "format": "url"}),
        ("port", {"required": True, "type": "integer"}),
        ("match(^x$)", {"required": True, "type": "string"}),
        ("list(a|b)", {"required": True, "type": "select", "options": ["a", "b"]}),
        ("device(subsystem=tty)?", {"optional": True, "type": "select", "options": []}),
        (["str?"], {"multiple": True, "optional": True, "type": "string"}),
    ],
)
def test_the_form_of_one_option(element: Any, node: dict[str, Any]) -> None:
    """Each type has its field in the frontend."""
    assert ui_schema({"a": element}) == [{"name": "a", **node}]


def test_the_form_of_mappings() -> None:
    """A mapping is a form of its own, a list of mappings a repeated one."""
    inner = [{"name": "b", "required": True, "type": "integer"}]
    shape = {"type": "schema", "optional": True, "schema": inner}
    assert ui_schema({"a": {"b": "int"}, "c": [{"b": "int"}]}) == [
        {"name": "a", "multiple": False, **shape},
        {"name": "c", "multiple": True, **shape},
    ]


def test_without_schema_there_is_no_form() -> None:
    """`schema: false` shows as null, and a list without item cannot be drawn."""
    assert ui_schema(None) is None
    assert ui_schema({"a": []}) == []
