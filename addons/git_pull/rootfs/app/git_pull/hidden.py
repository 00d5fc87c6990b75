"""Secrets that came in the arguments or the environment, where `ps` and /proc show them, are moved out of there."""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping

from git_pull import flags
from git_pull.flags import FLAGS, Given

_FILE = "GIT_PULL_SECRETS"
"""Number of a file that is in memory only and ends with its last reader."""


def given(arguments: list[str], environment: MutableMapping[str, str]) -> Given:
    """All options that were given. Where secrets are among them this program is begun anew without, in the same
    process, and finds them in a file in memory. OptionsError.
    """
    found = {**flags.of_environment(environment), **flags.parse(arguments)}
    hidden = _received(environment)
    if flags.secrets(found):
        _begin_anew(found, environment)
    return {**found, **hidden}


def _received(environment: MutableMapping[str, str]) -> Given:
    number = environment.pop(_FILE, None)
    if number is None:
        return {}
    with open(int(number), encoding="utf-8") as file:  # noqa: PTH123 - it has no path
        found: dict[str, str] = json.load(file)
    return found


def _begin_anew(found: Given, environment: Mapping[str, str]) -> None:
    number = os.memfd_create("secrets", 0)
    os.write(number, json.dumps(flags.secrets(found)).encode())
    os.lseek(number, 0, os.SEEK_SET)
    named = {variable for flag in FLAGS.values() if flag.secret for variable in flag.variables}
    left = {name: value for name, value in environment.items() if name not in named}
    command = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    os.execve(sys.executable, [*command, *flags.arguments(found)], {**left, _FILE: str(number)})  # noqa: S606 - ourselves
