"""What it means when an image does not come."""

from collections.abc import Collection

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
    assert pull_error(image, reason, ()).error_key == key


PRIVATE, ITS = "registry:5000/own:1", "registry:5000"


@pytest.mark.parametrize(
    ("image", "reason", "logins", "registry"),
    [
        (PRIVATE, "unexpected status from HEAD request to https://x/v2/own: 401 Unauthorized", {ITS}, ITS),
        (PRIVATE, "failed to fetch oauth token: unexpected status from GET request: 403 Forbidden", {ITS}, ITS),
        (PRIVATE, "reading manifest 1 in x: unauthorized: authentication required", {ITS}, ITS),
        (PRIVATE, "requesting bearer token: invalid status code from registry 403 (Forbidden)", {ITS}, ITS),
        (PRIVATE, "unable to retrieve auth token: invalid username/password", {ITS}, ITS),
        (PRIVATE, "401 Unauthorized", {"ghcr.io", "docker.io"}, None),
        (PRIVATE, "401 Unauthorized", (), None),
        (PRIVATE, "manifest unknown", {ITS}, None),
        ("me/own", "pull access denied, repository does not exist or may require authorization", {"docker.io"}, None),
        ("me/own", "401 Unauthorized", {"docker.io", "hub.docker.com"}, "docker.io"),
        ("docker.io/me/own", "401 Unauthorized", {"hub.docker.com"}, "hub.docker.com"),
    ],
)
def test_a_login_that_is_not_taken(image: str, reason: str, logins: Collection[str], registry: str | None) -> None:
    """It is told by the name under which it is kept; without one, the runtime's own words are all there is."""
    error = pull_error(image, reason, logins)
    assert error.error_key == ("docker_registry_auth_error" if registry else None)
    assert error.extra_fields.get("registry") == registry
    assert (registry or reason) in str(error)
