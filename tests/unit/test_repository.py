"""Store repositories: URLs, slugs, repository.yaml."""

from typing import Any

import pytest

from supervisor_k8s.errors import RepositoryError
from supervisor_k8s.model.repository import RepositoryInfo, RepositoryUrl, parse_url, read_info, slug_of


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://github.com/hassio-addons/repository", "a0d7b954"),
        ("https://github.com/esphome/home-assistant-addon", "5c53de3b"),
        ("https://github.com/music-assistant/home-assistant-addon", "d5369777"),
        ("https://github.com/zigbee2mqtt/hassio-zigbee2mqtt", "45df7312"),
        ("https://github.com/alexbelgium/hassio-addons", "db21ed7f"),
        ("HTTPS://GitHub.com/Hassio-Addons/Repository", "a0d7b954"),
    ],
)
def test_a_repository_has_upstreams_slug(url: str, slug: str) -> None:
    """The slugs that every Home Assistant knows."""
    assert slug_of(url) == slug


def test_every_spelling_is_another_repository() -> None:
    """A branch, a slash or `.git` makes another slug, as with upstream."""
    url = "https://example.com/apps"
    assert len({slug_of(given) for given in (url, url + "#next", url + "/", url + ".git")}) == 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://example.com/apps", RepositoryUrl("https://example.com/apps")),
        ("https://example.com/apps#feature/x.1", RepositoryUrl("https://example.com/apps", "feature/x.1")),
        ("ssh://git@example.com/apps.git", RepositoryUrl("ssh://git@example.com/apps.git")),
    ],
)
def test_a_url_and_its_branch(given: str, expected: RepositoryUrl) -> None:
    """What stands behind # is the branch to clone."""
    assert parse_url(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "core",
        "#branch",
        "git@example.com:apps",
        "https://example.com/apps#",
        "https://example.com/apps#a b",
        "https://example.com/apps#--upload-pack=x",
        "file:///etc",
        "ext::sh -c touch% /tmp/x",
        "https://example.com/apps\n",
    ],
)
def test_what_is_no_repository_is_refused(given: str) -> None:
    """Only URLs that git fetches without running anything are repositories."""
    with pytest.raises(RepositoryError, match="it must be a URL such as"):
        parse_url(given)


def test_repository_yaml_is_read() -> None:
    """Name, URL and maintainer are kept, anything else is dropped."""
    raw = {"name": "Apps", "url": "https://example.com", "maintainer": "Me", "more": 1}
    assert read_info(raw) == RepositoryInfo("Apps", "https://example.com", "Me")
    assert read_info({"name": "Apps"}) == RepositoryInfo("Apps")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "must be a mapping"),
        ({}, "key name must be a text"),
        ({"name": 5}, "key name must be a text"),
        ({"name": "x", "url": "nowhere"}, "key url must be a URL"),
        ({"name": "x", "maintainer": ["me"]}, "key maintainer must be a text"),
    ],
)
def test_a_wrong_repository_yaml_names_the_key(raw: Any, reason: str) -> None:
    """The reason is one sentence for the store's page."""
    with pytest.raises(RepositoryError, match=reason):
        read_info(raw)
