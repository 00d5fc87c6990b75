"""What was seen of the real class for options, oddity by oddity: programs and users' configurations rely on each.

Every row is one observation in its own words, with a schema, options, and what comes out: options, or why not.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import AddonOptionsInvalidError
from supervisor_k8s.model.options import Secrets, merge, ui_schema, validate
from tests.addon_house import SLUG, House
from tests.fakes import FakeCluster

EMPTIED = "an emptied field must be removed, not set to an empty text"
SECRET = "a secret's value comes from secrets.yaml"
SECRETS = Secrets({"pw": "hush", "number": 42, "several": ["hush"], "deep": {"a": "hush"}, "none": None})
ROWS: list[tuple[str, Any, Mapping[str, Any], Mapping[str, Any] | str]] = [
    ("a number is no text", {"a": "str"}, {"a": 5}, "expected str"),
    ("what may be absent stays absent", {"a": "str?"}, {}, {}),
    (
        "a question mark means 'may be absent', never 'may be null'",
        {"a": "str?"},
        {"a": None},
        "Missing required option",
    ),
    (EMPTIED, {"a": "int?"}, {"a": ""}, "expected int"),
    (EMPTIED, {"a": "port?"}, {"a": ""}, "expected int"),
    (EMPTIED, {"a": "list(a|b)?"}, {"a": ""}, "value must be one of"),
    (EMPTIED, {"a": "email?"}, {"a": ""}, "expected an email"),
    (EMPTIED, {"a": "url?"}, {"a": ""}, "expected a URL"),
    (EMPTIED, {"a": "bool?"}, {"a": ""}, "expected boolean"),
    (EMPTIED, {"a": "match(^x$)?"}, {"a": ""}, "does not match regular expression"),
    ("an unknown key is dropped", {"a": "str?"}, {"x": 1}, {}),
    ("an unknown key is dropped inside a mapping", {"a": {"b": "int"}}, {"a": {"b": 1, "x": 1}}, {"a": {"b": 1}}),
    ("an unknown key is dropped inside a list", {"a": [{"b": "int"}]}, {"a": [{"b": 1, "x": 1}]}, {"a": [{"b": 1}]}),
    ("a list is required", {"a": ["str"]}, {}, "Missing option 'a' in root"),
    ("a list of what may be absent may be absent", {"a": ["str?"]}, {}, {}),
    ("a list of mappings is required", {"a": [{"b": "str?"}]}, {}, "Missing option 'a' in root"),
    ("a mapping is always required", {"a": {"b": "str?"}}, {}, "Missing option 'a' in root"),
    ("a mapping may be empty", {"a": {"b": "str?"}}, {"a": {}}, {"a": {}}),
    ("the second type of a list is ignored", {"a": ["str", "int"]}, {"a": ["x", "y"]}, {"a": ["x", "y"]}),
    ("a list without a type takes nothing", {"a": []}, {"a": []}, "Type error"),
    ("a list without a type takes nothing", {"a": []}, {"a": ["x"]}, "Type error"),
    ("a list without a type takes nothing", {"a": []}, {"a": "x"}, "Type error"),
    (SECRET, {"a": "str"}, {"a": "!secret pw"}, {"a": "hush"}),
    ("only scalar secrets count", {"a": "str"}, {"a": "!secret several"}, "Unknown secret 'several'"),
    ("only scalar secrets count", {"a": "str"}, {"a": "!secret deep"}, "Unknown secret 'deep'"),
    ("only scalar secrets count", {"a": "str"}, {"a": "!secret none"}, "Unknown secret 'none'"),
    ("an unknown secret is an error", {"a": "str"}, {"a": "!secret nothing"}, "Unknown secret 'nothing'"),
    ("a secret's value is validated", {"a": "str"}, {"a": "!secret number"}, "expected str"),
    ("a secret's value is validated", {"a": "int"}, {"a": "!secret number"}, {"a": 42}),
    ("a secret may stand anywhere", {"a": [{"b": "str"}]}, {"a": [{"b": "!secret pw"}]}, {"a": [{"b": "hush"}]}),
    ("an empty schema knows nothing", {}, {"x": 1}, {}),
    ("no schema is not 'no validation': all options vanish", None, {"x": 1}, {}),
]


@pytest.mark.parametrize(("schema", "options", "outcome"), [pytest.param(*row, id=words) for words, *row in ROWS])
def test_row(schema: Any, options: Mapping[str, Any], outcome: Mapping[str, Any] | str) -> None:
    """What comes out is what was seen."""
    if isinstance(outcome, str):
        with pytest.raises(AddonOptionsInvalidError) as caught:
            validate(schema, options, secrets=SECRETS, app=SLUG)
        assert outcome in caught.value.fields["validation_error"]
    else:
        assert validate(schema, options, secrets=SECRETS, app=SLUG) == outcome


def test_a_null_default_must_be_filled_in() -> None:
    """`null` for a required option is how authors say 'the user must choose': nothing is valid until then."""
    schema, defaults = {"password": "password"}, {"password": None}
    with pytest.raises(AddonOptionsInvalidError, match="Missing required option 'password'"):
        validate(schema, merge(defaults, {}), secrets=SECRETS, app=SLUG)
    chosen = merge(defaults, {"password": "hush"})
    assert validate(schema, chosen, secrets=SECRETS, app=SLUG) == {"password": "hush"}


def test_no_schema_has_no_form() -> None:
    """The frontend shows no options at all."""
    assert ui_schema(None) is None


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House.build(tmp_path, FakeCluster())
    async with made.living():
        yield made


async def test_an_unknown_key_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Once, by its name and never with its value; a known one is not named."""
    await house.install(schema={"a": "str", "list": [{"b": "int?"}]}, options={"list": []})
    options = {"a": "x", "old": "hush", "list": [{"b": 1, "c": "hush"}, {"c": "hush"}]}
    await house.settings.change(SLUG, {"options": options})
    await house.start()
    said = [entry.message for entry in caplog.records if entry.levelno == logging.WARNING]
    assert said == [f"Add-on {SLUG} knows no option list.c, old: it gets none"]
    assert house.options_file() == {"a": "x", "list": [{"b": 1}, {}]}


async def test_options_without_schema_are_not_named(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Where all of them vanish, none is an exception."""
    await house.install(schema=False, options={"x": 1})
    await house.start()
    assert house.options_file() == {}
    assert [entry.message for entry in caplog.records if entry.levelno == logging.WARNING] == []


async def test_secrets_are_read_when_they_are_needed(house: House) -> None:
    """A secret that is changed counts with the next start; upstream looks at most once a minute."""
    file = house.folder / "share" / "homeassistant" / "secrets.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("pw: old\n")
    await house.install(schema={"a": "str"}, options={"a": "!secret pw"})
    await house.start()
    assert house.options_file() == {"a": "old"}
    file.write_text("pw: new\n")
    await house.restart()
    assert house.options_file() == {"a": "new"}
