"""What an image that does not come means, read off its name and the container runtime's own sentence. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from supervisor_k8s.errors import (
    GithubRateLimitError,
    HubRateLimitError,
    ImagePullError,
    RateLimitError,
    RegistryLoginError,
)

HUB_NAMES = "hub.docker.com", "docker.io"
"""Names under which Home Assistant knows Docker Hub; of both, the last one counts."""
DOCKER_HUB, GITHUB = "docker.io", "ghcr.io"
_HUB_HOST = "registry-1.docker.io"
"""Where Docker Hub answers."""
HUB_HELP = "https://www.home-assistant.io/more-info/dockerhub-rate-limit"
_LIMITED = re.compile(r"toomanyrequests|\b429 too many requests", re.IGNORECASE)
"""What a registry says, and what containerd and CRI-O make of its status."""
_REFUSED = re.compile(
    r"\b401 unauthorized\b|\b403 forbidden\b|from registry 40[13]\b|\bunauthorized: |invalid username/password",
    re.IGNORECASE,
)
"""The same of one that does not let us in. `pull access denied` is none: so it is said of what does not exist, too."""


def registry_of(image: str) -> str:
    """Host of the registry that an image is pulled from; a name without one means Docker Hub."""
    first, slash, _ = image.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first.removeprefix("index.") if named else DOCKER_HUB


@dataclass(frozen=True, slots=True)
class Place:
    """Of an image in its registry. `reference` is a tag or a digest."""

    host: str
    name: str
    reference: str


def place_of(image: str) -> Place:
    """Where a registry has an image, by its name with tag."""
    registry = registry_of(image)
    first, _, rest = image.partition("/")
    path = rest if first.removeprefix("index.") == registry else image
    path, _, digest = path.partition("@")
    name, colon, tag = path.rpartition(":")
    name, tag = (name, tag) if colon and "/" not in tag else (path, "latest")
    if registry == DOCKER_HUB:
        return Place(_HUB_HOST, name if "/" in name else f"library/{name}", digest or tag)
    return Place(registry, name, digest or tag)


def login_of(image: str, logins: Collection[str]) -> str | None:
    """Which of the registries with a login an image is pulled from, if any."""
    registry = registry_of(image)
    names = reversed(HUB_NAMES) if registry == DOCKER_HUB else (registry,)
    return next((name for name in names if name in logins), None)


def pull_error(image: str, reason: str, logins: Collection[str]) -> ImagePullError:
    """The error that clients know, where they have one of their own for it. `logins`: registries with a login."""
    if _REFUSED.search(reason) and (login := login_of(image, logins)):
        return RegistryLoginError(image=image, reason=reason, registry=login)
    if not _LIMITED.search(reason):
        return ImagePullError(image=image, reason=reason)
    registry = registry_of(image)
    if registry == DOCKER_HUB:
        return HubRateLimitError(image=image, reason=reason, dockerhub_rate_limit_url=HUB_HELP)
    kind = GithubRateLimitError if registry == GITHUB else RateLimitError
    return kind(image=image, reason=reason)
