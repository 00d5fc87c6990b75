#!/usr/bin/env bash
# fast.sh [COMMAND …]: unit and contract tier, as fast as the machine can: on all cores, with files in memory and
# compiled tests kept. COMMAND runs beside the tests; what it says is shown after them, and it must succeed too.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=$(tests/cluster/venv.sh)
where=${TMPDIR:-/tmp} memory=/dev/shm
# A state volume calls fsync for each record: on a disk that is what these tests would wait for most of the time.
if [ -w "$memory" ] && [ "$(df --output=avail "$memory" | tail -n 1)" -gt 524288 ]; then
	where=$memory
fi
# Of this run alone: pytest would keep what three runs have left, and takes longer to clear it away than rm.
TMPDIR=$(mktemp -d "$where/supervisor-k8s-fast.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR" || true' EXIT
said=$TMPDIR/said
"${@:-true}" >"$said" 2>&1 &
beside=$!
code=0
# Two processes more than there are cores: much of the time goes by in tests that wait for something.
# Tests of a module stay together, so what they share comes up once; who has finished takes from who has not.
env -u KUBECONFIG -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m pytest -n $(($(nproc) + 2)) --dist worksteal \
	tests/unit tests/contract || code=$?
wait "$beside" || code=$?
cat "$said"
exit "$code"
