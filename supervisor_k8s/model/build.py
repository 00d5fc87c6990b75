"""What an add-on without an image of its own is built from and with: its Dockerfile, the arguments and labels that
Home Assistant gives to it, and what `build.yaml` (deprecated) adds; and how the image that comes of it is called. Pure.

Rules and defaults are upstream's (Supervisor 2026.11, `supervisor/apps/build.py` and its schema).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from supervisor_k8s.errors import AddonBuildArchitectureError, AddonDockerfileError
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_checks import ARCHITECTURES

DEFAULT_BASE = "ghcr.io/home-assistant/base:latest"
"""`BUILD_FROM` where there is a build file and it names none."""
_IMAGE = re.compile(r"([-.:{}a-zA-Z\d]+/)*[-\w{}]+/[-\w{}]+(:[-.\w{}]+)?")
"""What upstream takes for a base image: with a slash, without a digest."""
_STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP (\d+)/(\d+): (.{1,200})")
"""As buildah says which instruction of the Dockerfile it has come to; the bracket is the stage of several."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the builder is told beside the folder."""

    dockerfile: str
    """Name of a file in the add-on's folder."""
    args: Mapping[str, str]
    labels: Mapping[str, str]


def _base(value: Any) -> str:
    if not isinstance(value, str) or not _IMAGE.fullmatch(value):
        raise vol.Invalid("no image such as ghcr.io/home-assistant/base:latest")
    return value


_BUILD_FILE = vol.Schema(
    {
        vol.Optional("build_from", default=None): vol.Any(None, _base, {vol.In(ARCHITECTURES): _base}),
        vol.Optional("squash", default=False): vol.Boolean(),
        vol.Optional("args", default=dict): {str: str},
        vol.Optional("labels", default=dict): {str: str},
    },
    extra=vol.REMOVE_EXTRA,
)


def read_build_file(raw: Any) -> dict[str, Any]:
    """`build.yaml` with its defaults. ValueError says what is wrong; it counts as an empty one then, as upstream."""
    try:
        checked: dict[str, Any] = _BUILD_FILE(raw)
    except vol.Invalid as error:
        raise ValueError(str(error)) from error
    return {**checked, "build_from": checked["build_from"] or DEFAULT_BASE}


def recipe(config: AddonConfig, arch: str, names: Collection[str], build_file: Mapping[str, Any] | None) -> Recipe:
    """How to build the add-on for `arch`. `names` are those beside its manifest, `build_file` is what
    `read_build_file` made; None where there is none. AddonDockerfileError, AddonBuildArchitectureError.
    """
    dockerfile = next((name for name in (f"Dockerfile.{arch}", "Dockerfile") if name in names), None)
    if dockerfile is None:
        raise AddonDockerfileError(app=config.slug, repair_command="ha store repair")
    found = build_file or {"build_from": None, "args": {}, "labels": {}}
    args = {"BUILD_VERSION": config.version, "BUILD_ARCH": arch, **found["args"]}
    if found["build_from"]:
        args["BUILD_FROM"] = _base_for(config.slug, arch, found["build_from"])
    labels = {
        "io.hass.version": config.version,
        "io.hass.arch": arch,
        "io.hass.type": "addon",
        **found["labels"],
        "io.hass.name": config.name.replace("'", ""),
        "io.hass.description": config.description.replace("'", ""),
    }
    return Recipe(dockerfile, args, labels | ({"io.hass.url": config.url} if config.url else {}))


def _base_for(slug: str, arch: str, base: str | Mapping[str, str]) -> str:
    if isinstance(base, str):
        return base
    if arch not in base:
        raise AddonBuildArchitectureError(app=slug, app_arches=", ".join(base), system_arches=arch)
    return base[arch]


def built_name(slug: str, arch: str) -> str:
    """Of the image in its registry, without tag: one level, for some registries know no more; always a legal one, and
    another one for each add-on.
    """
    return f"{arch}-{naming.addon_name(slug)}"


def tagged(image: str, version: str) -> str:
    """What a node pulls: a record has an image without its tag, and with the digest where it was built here. So a
    rebuild of the same version is another image for every node, whatever it has of the former one.
    """
    name, at, digest = image.partition("@")
    return f"{name}:{version}{at}{digest}"


def untagged(image: str, version: str) -> str:
    """The opposite of `tagged`."""
    name, at, digest = image.partition("@")
    return f"{name.removesuffix(f':{version}')}{at}{digest}"


def step(line: str) -> str | None:
    """Which step of the Dockerfile a line of the builder's log says has begun, for people."""
    found = _STEP.match(line)
    return None if found is None else f"building, step {found[1]} of {found[2]}: {found[3]}"
