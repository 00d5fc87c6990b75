#!/bin/sh
# venv.sh [REQUIREMENTS]: prints the path of a virtual environment with these requirements, the development ones by default.
#
# It is kept in the cache under a hash of the requirements and the interpreter:
# made when one of them changes; a file `complete` tells a whole one from an interrupted one.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
requirements=${1:-$root/requirements/dev.txt}
cache=${SUPERVISOR_K8S_CACHE:-$HOME/.cache/supervisor-k8s}
python=$("$root/tests/cluster/find-python.sh")
key=$( { "$python" -VV; echo "$python"; cat "$requirements"; } | sha256sum | cut -c1-16)
venv=$cache/venv/$key

if [ ! -e "$venv/complete" ]; then
	mkdir -p "$cache/venv"
	# One at a time; the path is fixed because programs in a virtual environment carry it.
	exec 9>"$venv.lock"
	flock 9
	if [ ! -e "$venv/complete" ]; then
		echo "Making the virtual environment of $(basename "$requirements") …" >&2
		rm -rf "$venv"
		"$python" -m venv "$venv" >&2
		if ! "$venv/bin/python" -m pip install -q --require-hashes --only-binary :all: -r "$requirements" >&2; then
			rm -rf "$venv"
			echo "The requirements could not be installed; is the Python package index reachable?" >&2
			exit 1
		fi
		touch "$venv/complete"
	fi
fi
echo "$venv"
