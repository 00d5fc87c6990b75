"""The Git pull add-on decides what Home Assistant needs after a change: nothing, a reload, or a restart."""

from typing import Any

import pytest

from git_pull.needs import Needs, actions, needs

CONFIGURATION = """
default_config:
homeassistant:
  packages: !include_dir_named packages
  customize: !include customize.yaml
  auth_providers: [{type: homeassistant}]
frontend:
  themes: !include_dir_merge_named themes
automation: !include automations.yaml
automation by hand: !include_dir_merge_list automations/
script: !include ./scripts.yaml
scene: !include /config/scenes.yaml
sensor:
  - platform: template
    sensors: !include sensors.yaml
lovelace:
  mode: yaml
  resources: !include resources.yaml
  dashboards:
    of-the-kitchen: {mode: yaml, filename: ./dashboards/kitchen.yaml, title: Kitchen}
shell_command: {greet: !secret greeting}
"""


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("automations.yaml", "automation.reload"),
        ("automations/kitchen/light.yaml", "automation.reload"),
        ("scripts.yaml", "script.reload"),
        ("scenes.yaml", "scene.reload"),
        ("themes/dark.yaml", "frontend.reload_themes"),
        ("customize.yaml", "homeassistant.reload_core_config"),
        ("resources.yaml", "lovelace.reload_resources"),
        ("blueprints/automation/me/motion.yaml", "automation.reload"),
        ("blueprints/script/me/x.yaml", "script.reload"),
        ("custom_templates/tools.jinja", "homeassistant.reload_custom_templates"),
    ],
)
def test_what_can_be_reloaded(path: str, service: str) -> None:
    """What the main file includes as the whole of a domain, and what is read by its place."""
    assert needs([path], CONFIGURATION) == Needs(services=(service,), reload=(path,))


@pytest.mark.parametrize(
    "path",
    ["configuration.yaml", "packages/heating.yaml", "secrets.yaml", "sensors.yaml", "custom_components/x/sensor.py",
     "python_scripts/x.py", "automations.yml", "automations/readme.txt", "other/automations.yaml", "sounds/bell.mp3",
     "dashboards/parts.yaml"],
)  # fmt: skip
def test_what_needs_a_restart(path: str) -> None:
    """Everything of which it is not known that something less would do."""
    assert needs([path], CONFIGURATION) == Needs(restart=(path,))


@pytest.mark.parametrize(
    "path",
    ["README.md", ".gitignore", ".github/workflows/check.yaml", "www/floor-plan.png", "dashboards/kitchen.yaml",
     "ui-lovelace.yaml"],
)  # fmt: skip
def test_what_needs_nothing(path: str) -> None:
    """Home Assistant does not read it, or whenever a dashboard is shown."""
    assert needs([path], CONFIGURATION) == Needs()


def test_several_domains() -> None:
    """Each action once, with the files that it is for."""
    paths = ["automations.yaml", "automations/a.yaml", "scripts.yaml", "README.md"]
    expected = Needs(services=("automation.reload", "script.reload"), reload=tuple(paths[:3]))
    assert needs(paths, CONFIGURATION) == expected
    assert expected.by_restart() == Needs(restart=tuple(paths[:3]))


def test_one_file_for_two() -> None:
    """Both read it."""
    text = "automation: !include both.yaml\nscript: !include both.yaml\n"
    assert needs(["both.yaml"], text).services == ("automation.reload", "script.reload")


@pytest.mark.parametrize(
    "text", ["", "- a list\n", "a: [\n", "\tautomation: !include automations.yaml\n", "? [a]\n: b\n"]
)
def test_a_main_file_that_tells_nothing(text: str) -> None:
    """Then a restart is what is left."""
    assert needs(["automations.yaml"], text) == Needs(restart=("automations.yaml",))


def test_actions_of_core() -> None:
    """By domain and name, from Core's own listing."""
    listing: Any = [
        {"domain": "automation", "services": {"reload": {}, "turn_on": {}}},
        {"domain": "tts", "services": {}},
    ]
    assert actions(listing) == {"automation.reload", "automation.turn_on"}
