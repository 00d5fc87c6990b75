"""What Core's configuration check says, read. Pure.

Facts seen with Core 2026.11.0's `--script check_config` (2026.2.3 has the same options): the text for people comes with
exit code 0 also when an integration's configuration is wrong, and with 1 when a file cannot be parsed. With `--json` an
object follows whatever was logged to the same output: `errors` and `warnings`, each domain to a list of sentences and,
between them, of the configurations that are meant, with secrets resolved: only sentences are taken. A file that cannot
be parsed makes `--json` fail with a traceback after the sentence. The order of warnings, and of requirements within
one, is another one in each run.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.errors import RefusedError

CHECK_JOB, CHECK_REFERENCE = "docker_home_assistant_execute_command", "homeassistant"
CHECK_GROUP = "container_homeassistant"
"""Upstream's words: whoever asks for a second check at the same time gets the last one in the refusal."""
SHARED = ("share",)
ROOTS = (("addons", "data"), ("addon_configs",), SHARED)
"""Folders of the shared volume below which candidates are; the first two hold one folder for each add-on."""
LONGEST = 64 * 1024
"""Bytes of all paths that a candidate does without: they travel in the environment of a program."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BROKEN_YAML = re.compile(r"homeassistant\.util\.yaml")
"""Upstream's own sign of a file that cannot be read although the exit code is 0."""
_FATAL = "Fatal error while loading config:"
_PLACE = re.compile(r"\bline \d+|\bcolumn \d+")
_WORD = re.compile(r"[^\s\[\]',]+")
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences of the checker, in alphabetical order."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def candidate_at(directory: str, *, addon: str | None) -> str:
    """The folder, a path on the shared volume, where a candidate may be: below an add-on's own `addons/data/<slug>` or
    `addon_configs/<slug>`, or below `share`, which all write. An add-on (its slug) may name its own folders only: what
    the checker says of a file can quote it. RefusedError.
    """
    parts = directory.split("/")
    unsafe = any(part in {"", ".", ".."} or not part.isprintable() for part in parts)
    for root in ROOTS:
        below = parts[len(root) :]
        if unsafe or tuple(parts[: len(root)]) != root:
            continue
        if (root == SHARED and below) or (root != SHARED and len(below) > 1 and addon in {None, below[0]}):
            return directory
    own = addon or "<slug>"
    raise RefusedError(
        f"{directory!r} cannot be checked: it must be a folder below addons/data/{own}, addon_configs/{own} or share"
    )


def lost_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Paths of the live configuration that a candidate does without. RefusedError."""
    if sum(len(path.encode()) for path in paths) > LONGEST:
        raise RefusedError(f"`without` has more than {LONGEST} bytes; name whole folders where a whole folder goes")
    for path in paths:
        if any(part in {"", ".", ".."} or not part.isprintable() for part in path.split("/")):
            raise RefusedError(f"{path!r} in `without` is no path inside the configuration")
    return tuple(paths)


def plain(output: str) -> str:
    """Without colours."""
    return _COLOUR.sub("", output)


def is_valid(exit_code: int, output: str) -> bool:
    """Whether the check that is meant for people counts as passed, by upstream's rule; `output` is plain."""
    return exit_code == 0 and not _BROKEN_YAML.search(output)


def findings(output: str) -> Findings | None:
    """What a check with `--json` found; None when it did not come so far that it could tell."""
    text = plain(output)
    document = _document(text)
    if document is not None:
        return Findings(_sentences(document.get("errors")), _sentences(document.get("warnings")))
    if _FATAL in text:
        why = text.partition(_FATAL)[2].partition(_TRACEBACK)[0].strip()
        return Findings(errors=(why,))
    return None


def added(warnings: Iterable[str], before: Iterable[str]) -> tuple[str, ...]:
    """Warnings that are not among those from before; where in a file something stands does not count, for a line more
    above it moves it.
    """
    left = Counter(_essence(warning) for warning in before)
    new = []
    for warning in warnings:
        essence = _essence(warning)
        if left[essence] > 0:
            left[essence] -= 1
        else:
            new.append(warning)
    return tuple(new)


def _document(text: str) -> Mapping[str, Any] | None:
    """The object: from a line that is `{` to a line that is `}`."""
    lines = text.splitlines()
    begins = [number for number, line in enumerate(lines) if line == "{"]
    ends = [number for number, line in enumerate(lines) if line == "}"]
    if not begins or not ends or ends[-1] < begins[-1]:
        return None
    try:
        found = json.loads("\n".join(lines[begins[-1] : ends[-1] + 1]))
    except ValueError:
        return None
    return found if isinstance(found, dict) and "errors" in found and "warnings" in found else None


def _sentences(by_domain: Any) -> tuple[str, ...]:
    """A configuration may be a mere text, too, such as a password; a sentence has blanks."""
    if not isinstance(by_domain, Mapping):
        return ()
    entries = (entry for given in by_domain.values() if isinstance(given, list) for entry in given)
    return tuple(sorted(entry for entry in entries if isinstance(entry, str) and " " in entry))


def _essence(warning: str) -> str:
    return " ".join(sorted(_WORD.findall(_PLACE.sub("", warning))))
