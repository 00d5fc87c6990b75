"""What an image that does not come means, read off its name and the container runtime's own sentence. Pure."""

import re

from supervisor_k8s.errors import GithubRateLimitError, HubRateLimitError, ImagePullError, RateLimitError

DOCKER_HUB, GITHUB = "docker.io", "ghcr.io"
HUB_HELP = "https://www.home-assistant.io/more-info/dockerhub-rate-limit"
_LIMITED = re.compile(r"toomanyrequests|\b429 too many requests", re.IGNORECASE)
"""What a registry says, and what containerd and CRI-O make of its status."""


def registry_of(image: str) -> str:
    """Host of the registry that an image is pulled from; a name without one means Docker Hub."""
    first, slash, _ = image.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first.removeprefix("index.") if named else DOCKER_HUB


def pull_error(image: str, reason: str) -> ImagePullError:
    """The error that clients know, where they have one of their own for it."""
    if not _LIMITED.search(reason):
        return ImagePullError(image=image, reason=reason)
    registry = registry_of(image)
    if registry == DOCKER_HUB:
        return HubRateLimitError(image=image, reason=reason, dockerhub_rate_limit_url=HUB_HELP)
    kind = GithubRateLimitError if registry == GITHUB else RateLimitError
    return kind(image=image, reason=reason)
