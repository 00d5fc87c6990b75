"""Takes out of this environment what our program never imports, and says so where the package lists its files.

Of kubernetes-asyncio we use transport and credentials (see `supervisor_k8s/cluster/library.py`): its 800 typed models
and API classes, 40 MB of source and bytecode, stay out of the image. Whoever imports one there gets an ImportError; the
packages' own `__init__` files stay. Run in the build of the image, by the interpreter of the environment.
"""
# ruff: noqa: INP001, T201 - a script of the image's build

import csv
import sys
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

UNUSED = {
    "kubernetes-asyncio": (
        "kubernetes_asyncio/client/api/[!_]*",
        "kubernetes_asyncio/client/models/[!_]*",
        "kubernetes_asyncio/client/test_rest.*",
        # Beside the packages, where they would be anybody's.
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "pyproject.toml",
    ),
}


def slim(package: str, patterns: tuple[str, ...]) -> int:
    """Remove the files of a package that match, from the disk and from its RECORD; how many bytes they had."""
    files = distribution(package).files or []
    root = Path(str(distribution(package).locate_file("")))
    gone = [file for file in files if any(PurePosixPath(file).full_match(pattern) for pattern in patterns)]
    if unmatched := [pattern for pattern in patterns if not any(PurePosixPath(f).full_match(pattern) for f in gone)]:
        sys.exit(f"{package} has no {', '.join(unmatched)} any more: look again at what it brings")
    size = sum((root / file).stat().st_size for file in gone)
    for file in gone:
        (root / file).unlink()
    (record,) = (root / file for file in files if file.name == "RECORD")
    with record.open(newline="") as stream:
        rows = [row for row in csv.reader(stream) if (root / row[0]).exists()]
    with record.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return size


for name, unused in UNUSED.items():
    print(f"{name}: {slim(name, unused) / 1e6:.1f} MB of unused modules removed")
