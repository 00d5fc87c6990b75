"""What the builder is given of an add-on that has no image: how it is built, and its folder."""

import logging
from typing import Any

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.build import Recipe, read_build_file, recipe
from supervisor_k8s.store import documents
from supervisor_k8s.store.catalogue import SUFFIXES, AddonFiles

_LOGGER = logging.getLogger(__name__)
LARGEST = 64 * 2**20
"""Bytes of an add-on's folder: it is in memory once, and on the shared volume while it is built."""


def build_source(config: AddonConfig, files: AddonFiles, arch: str) -> tuple[Recipe, bytes]:
    """How the add-on is built for an architecture, and its folder as a tar archive. Blocks. AddonDockerfileError,
    AddonBuildArchitectureError, and RefusedError for a folder that cannot be read or is too large.
    """
    found = recipe(config, arch, files.names, _build_file(config.slug, files))
    return found, files.pack(limit=LARGEST)


def _build_file(slug: str, files: AddonFiles) -> dict[str, Any] | None:
    suffix = next((suffix for suffix in SUFFIXES if f"build{suffix}" in files.names), None)
    if suffix is None:
        return None
    try:
        content = files.read(f"build{suffix}", limit=documents.SIZE_LIMIT + 1)
        return read_build_file(documents.parse(content or b"", suffix))
    except ValueError as error:
        _LOGGER.warning("build%s of add-on %s counts as empty: %s", suffix, slug, error)
        return read_build_file({})
