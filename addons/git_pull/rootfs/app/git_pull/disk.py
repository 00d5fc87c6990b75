"""What the live configuration has at given paths. Waits for the disk."""

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from git_pull.changes import Disk
from git_pull.files import blob_id
from git_pull.progress import Progress
from git_pull.tree import parents

CHECKED = (".yaml", ".yml", ".py", ".json")
"""Files that Core's checker may read."""
BY_PEOPLE = (".yaml", ".yml", ".py")
"""Those of them that Home Assistant does not write by itself while it starts."""
NOT_CHECKED = {"www", "deps", "tts", "image", "media", "backups", "__pycache__"}


def read_disk(live: Path, paths: Collection[str], *, like: str) -> Disk:
    """No link is followed: what is behind one is not ours. `like` is any id of the repository."""
    ids: dict[str, str] = {}
    odd: dict[str, str] = {}
    folders: dict[str, str | None] = {}
    progress = Progress()
    for number, path in enumerate(paths):
        progress(f"Comparing files: {number} of {len(paths)}")
        problem = next((found for above in parents(path) if (found := _folder_problem(live, above, folders))), None)
        if problem is not None:
            odd[path] = problem
            continue
        file = f"{live}/{path}"  # of ten thousand: to make each a Path takes as long as to read it
        mode = _mode(file)
        if mode is None:
            continue
        if stat.S_ISREG(mode):
            ids[path] = blob_id(file, like=like)
        else:
            kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no file"
            odd[path] = f"it is {kind} on the disk"
    return Disk(ids, odd)


def fingerprint(live: Path, kinds: tuple[str, ...] = CHECKED, *, but: Collection[str] = ()) -> str:
    """Another one when a file that Core's checker may read was made, changed or deleted; not for paths of `but`."""
    digest = hashlib.sha256()
    for folder, folders, files, descriptor in os.fwalk(live):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NOT_CHECKED)
        above = Path(folder).relative_to(live).as_posix()
        for name in sorted(files):
            below = name if above == "." else f"{above}/{name}"
            if name.endswith(kinds) and below not in but:
                about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                digest.update(f"{below}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _folder_problem(live: Path, path: str, known: dict[str, str | None]) -> str | None:
    if path not in known:
        mode = _mode(f"{live}/{path}")
        fine = mode is None or stat.S_ISDIR(mode)
        known[path] = None if fine else f"{path} is no folder on the disk"
    return known[path]


def _mode(path: str) -> int | None:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
