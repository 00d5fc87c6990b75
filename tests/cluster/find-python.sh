#!/bin/sh
# Prints the path of a Python that is new enough, or says what is missing.
#
# Each candidate is tried: the shims of pyenv may exist and still refuse to run.
# PYTHON=/path/to/python3 is asked first.
set -eu

works() {
	"$1" -c 'import sys, venv, ensurepip, ssl; sys.exit(sys.version_info < (3, 13))' >/dev/null 2>&1
}

try() {
	for candidate in "$@"; do
		path=$(command -v "$candidate" 2>/dev/null) || continue
		if works "$path"; then
			# The real interpreter, so that a virtual environment does not hang on a shim.
			"$path" -c 'import os, sys; print(os.path.realpath(sys.executable))'
			exit 0
		fi
	done
}

try ${PYTHON:+"$PYTHON"} "$HOME"/.pyenv/versions/3.1[3-9]*/bin/python3 \
	python3.13 python3.14 python3.15 python3 /usr/bin/python3

# Debian 13 and later have one, only not installed.
. /etc/os-release
if [ "${ID:-}" = debian ] && [ "${VERSION_ID:-99}" -ge 13 ] && [ "$(id -u)" = 0 ]; then
	DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3 python3-venv python3-pip >&2
	try /usr/bin/python3
fi

cat >&2 <<'END'
No Python 3.13 or newer was found.
  Debian 13:  apt install python3 python3-venv
  otherwise:  install one (for example with pyenv) and name it: make PYTHON=/path/to/python3 …
END
exit 1
