#!/usr/bin/env bash
# Unit and contract tier, as fast as the machine can: side by side, with files in memory and compiled tests kept.
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

tier() {
	env -u KUBECONFIG -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m pytest "$@"
}

# Each process of pytest spends seconds on importing what it finds, so of the unit tier, whose tests are many and short,
# each has its share. Contract tests wait, too: a process for each core, where tests of a module stay together, so what
# they share comes up once; who has finished takes from who has not.
files=(tests/unit/test_*.py)
shares=2 running=()
for ((share = 0; share < shares; share++)); do
	mine=()
	for ((number = share; number < ${#files[@]}; number += shares)); do mine+=("${files[number]}"); done
	tier "${mine[@]}" >"$TMPDIR/unit-$share.log" 2>&1 &
	running+=($!)
done
code=0
tier -n "$(nproc)" --dist worksteal tests/contract || code=$?
for share in "${!running[@]}"; do
	wait "${running[share]}" || code=$?
	cat "$TMPDIR/unit-$share.log"
done
exit "$code"
