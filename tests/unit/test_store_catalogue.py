"""Working copies become a catalogue: what authors meant is there, what strangers tried is listed and hurts nobody."""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import RepositoryError
from supervisor_k8s.model.repository import RepositoryInfo
from supervisor_k8s.store.catalogue import CatalogueReader, Source, read_repository_file
from tests.builders import manifest

REPOSITORY = "name: Things\nurl: https://example.com/things\nmaintainer: Me\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "a0d7b954"
    put(root / "repository.yaml", REPOSITORY)
    return root


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def source(root: Path, **changes: Any) -> Source:
    return Source(**{"slug": "a0d7b954", "source": "https://git.example/things", "path": root, **changes})


def test_addons_are_found_in_all_spellings(root: Path) -> None:
    """YAML and JSON, at any depth, but not below hidden folders or `rootfs`; slugs carry the repository's."""
    put(root / "one" / "config.yaml", manifest(slug="one"))
    put(root / "two" / "config.yml", manifest(slug="two"))
    put(root / "deep" / "three" / "config.json", manifest(slug="three"))
    put(root / ".github" / "config.yaml", manifest(slug="hidden"))
    put(root / "one" / "rootfs" / "etc" / "config.yaml", manifest(slug="inner"))
    put(root / "one" / "config.yaml.bak", "x")
    catalogue = CatalogueReader().read([source(root)])
    assert sorted(catalogue.addons) == ["a0d7b954_one", "a0d7b954_three", "a0d7b954_two"]
    assert catalogue.addons["a0d7b954_one"].repository == "a0d7b954"
    assert catalogue.faults == ()


def test_a_repository_says_who_it_is(root: Path, tmp_path: Path) -> None:
    """Name, address and maintainer come from its file, or are fixed; without either they are unknown."""
    fixed = Source("core", "core", tmp_path / "gone", RepositoryInfo("Official apps", "https://ha.example", "HA"))
    empty = Source("5c53de3b", "https://git.example/e", tmp_path / "empty")
    repositories = CatalogueReader().read([fixed, source(root), empty]).repositories
    shown = [(r.slug, r.name, r.source, r.url, r.maintainer) for r in repositories.values()]
    assert shown == [
        ("core", "Official apps", "core", "https://ha.example", "HA"),
        ("a0d7b954", "Things", "https://git.example/things", "https://example.com/things", "Me"),
        ("5c53de3b", "unknown", "https://git.example/e", "https://git.example/e", "unknown"),
    ]


@pytest.mark.parametrize("name", ["repository.yaml", "repository.yml", "repository.json"])
def test_the_repository_file_has_three_spellings(tmp_path: Path, name: str) -> None:
    """Each is read."""
    put(tmp_path / name, {"name": "X"})
    assert read_repository_file(tmp_path).name == "X"


@pytest.mark.parametrize("content", [None, "[", "[]", "url: x", "name: 5", "name: a\nurl: nowhere"])
def test_a_folder_without_a_good_repository_file_is_no_repository(tmp_path: Path, content: str | None) -> None:
    """A missing or malformed file is an error that a person can read."""
    if content is not None:
        put(tmp_path / "repository.yaml", content)
    with pytest.raises(RepositoryError, match="repository"):
        read_repository_file(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "",
        "just text",
        "- list",
        "name: x",
        "version: [1",
        "a: &a [*a]",
        "slug: ../../etc",
        pytest.param("x" * 10_000_000, id="10 MB"),
    ],
)
def test_a_bad_manifest_hides_no_other(root: Path, caplog: pytest.LogCaptureFixture, content: str) -> None:
    """It is skipped, listed with its reason and logged once, also when the store is read again."""
    put(root / "bad" / "config.yaml", content)
    put(root / "good" / "config.yaml", manifest(slug="good"))
    reader = CatalogueReader()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            catalogue = reader.read([source(root)])
    assert list(catalogue.addons) == ["a0d7b954_good"]
    assert [(fault.repository, fault.path) for fault in catalogue.faults] == [("a0d7b954", "bad")]
    assert len(caplog.records) == 1
    assert "bad/config.yaml is skipped" in caplog.text


@pytest.mark.parametrize(("store", "level"), [("local", logging.WARNING), ("a0d7b954", logging.DEBUG)])
def test_authors_are_given_hints(root: Path, caplog: pytest.LogCaptureFixture, store: str, level: int) -> None:
    """Once, and only the user's own add-ons loudly: nobody here can change those of others."""
    put(root / "old" / "config.yaml", manifest(slug="old", map=["config:rw"]))
    reader = CatalogueReader()
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            assert reader.read([source(root, slug=store)]).faults == ()
    (record,) = caplog.records
    assert record.levelno == level
    assert "old/config.yaml: map has config, the old word for homeassistant_config" in record.message


def test_two_addons_with_one_slug_are_told(root: Path) -> None:
    """The first by path counts; the second is listed as a fault that names the first."""
    put(root / "a" / "config.yaml", manifest(slug="same", version="1"))
    put(root / "b" / "config.yaml", manifest(slug="same", version="2"))
    catalogue = CatalogueReader().read([source(root)])
    assert catalogue.addons["a0d7b954_same"].version == "1"
    assert catalogue.faults[0].reason == "its slug a0d7b954_same is that of a already"


def test_a_changed_manifest_is_read_again_and_a_deleted_one_vanishes(root: Path) -> None:
    """The next reading shows what is there now."""
    path = put(root / "one" / "config.yaml", manifest(slug="one", version="1"))
    put(root / "two" / "config.yaml", manifest(slug="two"))
    reader = CatalogueReader()
    before = reader.read([source(root)])
    put(path, manifest(slug="one", version="1.1"))
    (root / "two" / "config.yaml").unlink()
    after = reader.read([source(root)])
    assert (before.addons["a0d7b954_one"].version, after.addons["a0d7b954_one"].version) == ("1", "1.1")
    assert list(after.addons) == ["a0d7b954_one"]


def test_a_manifest_that_links_out_is_no_addon(root: Path, tmp_path: Path) -> None:
    """A link to a file outside the clone is refused, one to a file inside works."""
    outside = put(tmp_path / "outside" / "config.yaml", manifest(slug="stolen"))
    put(root / "real" / "config.yaml", manifest(slug="real"))
    (root / "evil").mkdir()
    (root / "evil" / "config.yaml").symlink_to(outside)
    (root / "linked").symlink_to(outside.parent)
    assert list(CatalogueReader().read([source(root)]).addons) == ["a0d7b954_real"]


def test_files_beside_the_manifest_are_read_within_limits(root: Path, tmp_path: Path) -> None:
    """Documents and pictures are found by name and cut off at the limit; a link that leads out is absent."""
    put(tmp_path / "secret", "secret")
    put(root / "one" / "config.yaml", manifest(slug="one"))
    put(root / "one" / "README.md", "Read me.")
    (root / "one" / "DOCS.md").symlink_to("README.md")
    (root / "one" / "CHANGELOG.md").symlink_to(tmp_path / "secret")
    files = CatalogueReader().read([source(root)]).files["a0d7b954_one"]
    assert files.read("README.md", limit=4) == b"Read"
    assert files.read("DOCS.md", limit=100) == b"Read me."
    assert files.read("CHANGELOG.md", limit=100) is None
    assert files.read("icon.png", limit=100) is None
    assert files.read("../../secret", limit=100) is None


def test_translations_come_by_language(root: Path) -> None:
    """Each good file is one language; a bad one hides neither the add-on nor the others."""
    put(root / "one" / "config.yaml", manifest(slug="one"))
    put(
        root / "one" / "translations" / "en.yaml",
        "configuration:\n  a:\n    name: A\n    fields: {b: {name: B}}\n    extra: 1\nnetwork:\n  80/tcp: Web\n",
    )
    put(root / "one" / "translations" / "nl.json", '{"network": {"80/tcp": "Web"}}')
    put(root / "one" / "translations" / "fr.yaml", "configuration: {a: {description: no name}}")
    put(root / "one" / "translations" / "de.yaml", "[")
    put(root / "one" / "translations" / "README.md", "no translation")
    assert CatalogueReader().read([source(root)]).files["a0d7b954_one"].translations() == {
        "en": {
            "configuration": {"a": {"name": "A", "fields": {"b": {"name": "B"}}}},
            "network": {"80/tcp": "Web"},
        },
        "nl": {"network": {"80/tcp": "Web"}},
    }


def test_odd_things_in_the_local_folder_do_no_harm(root: Path) -> None:
    """A pipe, a folder and an unreadable name where a manifest should be are skipped."""
    put(root / "good" / "config.yaml", manifest(slug="good"))
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe" / "config.yaml")
    (root / "folder" / "config.yaml").mkdir(parents=True)
    (root / "odd\udcff").mkdir()
    (root / "odd\udcff" / "config.yaml").write_text("[")
    catalogue = CatalogueReader().read([source(root)])
    assert list(catalogue.addons) == ["a0d7b954_good"]
    assert sorted(fault.path for fault in catalogue.faults) == ["folder", "odd\ufffd", "pipe"]


def test_a_store_of_330_addons_is_parsed_once(tmp_path: Path) -> None:
    """The corpus three times over is read whole, and an unchanged store costs a fraction of the first reading."""
    lines = (Path(__file__).parents[1] / "corpus" / "addons.jsonl").read_text().splitlines()
    corpus = [json.loads(line) for line in lines[1:]]
    sources = [Source(f"{number}" * 8, "x", tmp_path / str(number)) for number in range(3)]
    expected = set()
    for each in sources:
        for number, entry in enumerate(corpus):
            # JSON is YAML too, and soon written.
            put(each.path / str(number) / "config.yaml", entry["config"] | {"slug": f"s{number}"})
            expected.add(f"{each.slug}_s{number}")
    reader = CatalogueReader()
    begin = time.perf_counter()
    assert set(reader.read(sources).addons) == expected
    cold = time.perf_counter() - begin
    begin = time.perf_counter()
    reader.read(sources)
    unchanged = time.perf_counter() - begin
    assert unchanged < cold / 2
