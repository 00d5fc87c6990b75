"""What it means when an image does not come."""

import pytest

from supervisor_k8s.model.image_pull import pull_error, registry_of

LIMITED = (
    "failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/x: 429 Too "
    "Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit."
)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("mosquitto:2", "docker.io"),
        ("hassioaddons/vscode-amd64:1", "docker.io"),
        ("docker.io/library/nginx", "docker.io"),
        ("index.docker.io/library/nginx", "docker.io"),
        ("ghcr.io/home-assistant/amd64-addon-ssh:9.1", "ghcr.io"),
        ("localhost/own:1", "localhost"),
        ("registry:5000/own:1", "registry:5000"),
    ],
)
def test_whose_image(image: str, registry: str) -> None:
    """As container runtimes read names."""
    assert registry_of(image) == registry


@pytest.mark.parametrize(
    ("image", "reason", "key"),
    [
        ("hassioaddons/vscode-amd64:1", LIMITED, "dockerhub_rate_limit_exceeded"),
        ("ghcr.io/home-assistant/amd64-addon-ssh:9.1", "toomanyrequests: retry later", "ghcr_rate_limit_exceeded"),
        ("registry:5000/own:1", "reading manifest: 429 Too Many Requests", "container_registry_rate_limit_exceeded"),
        ("hassioaddons/vscode-amd64:1", "manifest unknown", None),
        ("registry:5000/own:1", "connection to 10.0.0.7:4290 refused", None),
    ],
)
def test_which_error(image: str, reason: str, key: str | None) -> None:
    """Clients have words of their own for a registry that gives no more."""
    assert pull_error(image, reason).error_key == key
