#!/usr/bin/env bash
# Unit and contract tier, as fast as the machine can: on all cores, with files in memory and compiled tests kept.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=$(tests/cluster/venv.sh)
memory=/dev/shm
# A state volume calls fsync for each record: on a disk that is what these tests would wait for most of the time.
if [ -w "$memory" ] && [ "$(df --output=avail "$memory" | tail -n 1)" -gt 524288 ]; then
	export TMPDIR=$memory
fi
exec env -u KUBECONFIG -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m pytest -n auto tests/unit tests/contract
