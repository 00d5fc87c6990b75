"""What Home Assistant needs after files changed: nothing, the reload of some domains, or a restart. Pure.

A file counts as one of a domain when `configuration.yaml` includes it, or its folder, as that domain's whole
configuration. What a file is for is else not known, and what is not known needs a restart.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

MAIN = "configuration.yaml"
_ROOT = "/config/"
"""Where Core finds its configuration; an include may be written in full."""
_NEVER_READ = ("www/",)
"""Handed out as it is."""
_TEXTS = (".md",)
_FOLDERS = {
    "blueprints/automation/": "automation.reload",
    "blueprints/script/": "script.reload",
    "blueprints/template/": "template.reload",
    "custom_templates/": "homeassistant.reload_custom_templates",
}
"""Read by their place, not by an include."""
_PARTS = {
    ("frontend", "themes"): "frontend.reload_themes",
    ("homeassistant", "customize"): "homeassistant.reload_core_config",
    ("homeassistant", "customize_domain"): "homeassistant.reload_core_config",
    ("homeassistant", "customize_glob"): "homeassistant.reload_core_config",
    ("lovelace", "resources"): "lovelace.reload_resources",
}
"""Parts of a domain's configuration that can be read anew by themselves."""


_DASHBOARD = "ui-lovelace.yaml"


@dataclass(frozen=True, slots=True)
class Needs:
    """`services` are actions of Home Assistant that read the files of `reload` anew (`automation.reload`); those of
    `restart` are read at a start only.
    """

    services: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def by_restart(self) -> "Needs":
        """A restart reads everything."""
        return Needs(restart=tuple(sorted((*self.reload, *self.restart))))


def needs(paths: Iterable[str], configuration: str) -> Needs:
    """`configuration` is the text of MAIN. Whether there are such actions is not known here."""
    readers = _Readers.of(configuration)
    services: set[str] = set()
    reload: list[str] = []
    restart: list[str] = []
    for path in paths:
        if _is_never_read(path) or path in readers.shown:
            continue
        found = readers.of_file(path)
        services |= found
        (reload if found else restart).append(path)
    return Needs(tuple(sorted(services)), tuple(reload), tuple(restart))


def _is_never_read(path: str) -> bool:
    return path.startswith((".", *_NEVER_READ)) or path.endswith(_TEXTS)


@dataclass(slots=True)
class _Readers:
    """By file and by folder (with a slash at its end), the actions that read it anew. `shown` are files of dashboards,
    which are read anew whenever somebody looks at them.
    """

    files: dict[str, set[str]] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, configuration: str) -> "_Readers":
        """Nothing of a text that is no YAML: whatever changed needs a restart then."""
        readers = cls(folders={folder: {service} for folder, service in _FOLDERS.items()})
        try:
            main = yaml.compose(configuration, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            return readers
        for key, value in _entries(main):
            domain = key.partition(" ")[0]
            readers._add(value, f"{domain}.reload")
            for part, inner in _entries(value):
                if (domain, part) in _PARTS:
                    readers._add(inner, _PARTS[domain, part])
            if domain == "lovelace":
                readers.shown |= set(_dashboards(value))
        return readers

    def _add(self, value: yaml.Node, service: str) -> None:
        if not isinstance(value, yaml.ScalarNode) or not value.tag.startswith("!include"):
            return
        path = posixpath.normpath(value.value.removeprefix(_ROOT))
        if value.tag == "!include":
            self.files.setdefault(path, set()).add(service)
        else:
            self.folders.setdefault(f"{path}/", set()).add(service)

    def of_file(self, path: str) -> set[str]:
        found = set(self.files.get(path, ()))
        if path.endswith((".yaml", ".jinja")):
            for folder, services in self.folders.items():
                if path.startswith(folder):
                    found |= services
        return found


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Of a mapping whose keys are texts; nothing of anything else."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, value


def _dashboards(lovelace: yaml.Node) -> Iterator[str]:
    """Files of those that are kept as YAML."""
    for key, value in _entries(lovelace):
        if key == "mode" and isinstance(value, yaml.ScalarNode) and value.value == "yaml":
            yield _DASHBOARD
        if key == "dashboards":
            for _, dashboard in _entries(value):
                named = (file for name, file in _entries(dashboard) if name == "filename")
                yield from (posixpath.normpath(file.value) for file in named if isinstance(file, yaml.ScalarNode))


def actions(listing: Iterable[Mapping[str, Mapping[str, object]]]) -> frozenset[str]:
    """From Core's `GET /api/services`: `[{"domain": "automation", "services": {"reload": …}}]`."""
    return frozenset(f"{entry['domain']}.{name}" for entry in listing for name in entry["services"])
