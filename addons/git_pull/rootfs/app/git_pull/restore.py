"""The way back from a switch that replaced files of the user's: a program that needs nothing but a shell. Pure."""

from collections.abc import Iterable
from shlex import quote

_SCRIPT = """#!/bin/sh
# Brings back what was there before another commit was made live: sh <this file> <folder of the configuration>
# What is there now is laid aside, so this takes nothing away either.
set -eu
to=${{1:?say the folder of the configuration}}
data=$(cd "$(dirname "$0")/.." && pwd)
kept=$data/kept/{name}
mkdir -p "$data/undone"
aside=$(mktemp -d "$data/undone/"{name}.XXXXXX)
away() {{
  if [ -e "$to/$1" ]; then
    mkdir -p "$aside/$(dirname -- "$1")"
    mv "$to/$1" "$aside/$1"
  fi
}}
back() {{
  away "$1"
  mkdir -p "$to/$(dirname -- "$1")"
  cp -p "$kept/$1" "$to/$1"
}}
{calls}
echo "All is as it was; what was there instead is in $aside"
"""


def script(name: str, *, back: Iterable[str], away: Iterable[str]) -> str:
    """It lies beside `kept`, whose folder `name` has the files of `back`; those of `away` were not there."""
    calls = [*(f"away {quote(path)}" for path in sorted(away)), *(f"back {quote(path)}" for path in sorted(back))]
    return _SCRIPT.format(name=quote(name), calls="\n".join(calls))
