#!/usr/bin/env bash
# All tiers on the local cluster, or with CLUSTER=external on the caller's, where `make up` has been before.
#
# The cluster is left as it was found: up when it was up, gone when it was not.
# What the cluster knows about a failure is collected in test-results/.
# MORE_TRIES=n: when at most n tests fail that need a cluster, they are named and run by themselves, up to twice. What
# passes only then is a race of ours or of the test's, and wants to be mended all the same: test-results/ is of the first.
# The last line of the output is pytest's summary.
set -euo pipefail

cd "$(dirname "$0")/../.."
venv=$(tests/cluster/venv.sh)
python=$venv/bin/python
results=test-results
ours=yes
mkdir -p "$results"

if [ "${CLUSTER:-local}" = external ]; then
	ours=no
	"$python" -m tests.cluster packages
	lines=$("$python" -m tests.cluster env)
	eval "$lines"
	"$python" -m tests.cluster status
else
	# A KUBECONFIG that happens to be set is not an order to test there.
	unset KUBECONFIG
	was_up=no
	"$python" -m tests.cluster status >"$results/status.log" 2>&1 && was_up=yes
	if ! "$python" -m tests.cluster up --for-tests; then
		[ "$was_up" = yes ] || echo "The half-made cluster is left for a look; \`make down\` removes it." >&2
		exit 1
	fi
	eval "$("$python" -m tests.cluster env)"
fi

collect() {
	kubectl get pods,events -A -o wide >"$results/events.txt" 2>&1 || true
	kubectl cluster-info dump --namespaces "${HOUSE_NAMESPACE:-home-assistant},kube-system" \
		--output-directory="$results/cluster" >/dev/null 2>&1 || true
	[ "$ours" = no ] || cp -r /var/lib/supervisor-k8s-local/logs "$results/" || true
}

# A tier by its name, with its own memory of what has failed.
tier() {
	local name=$1
	shift
	"$python" -m pytest "tests/$name" "--$name" --override-ini "cache_dir=.pytest_cache/$name" "$@"
}

# Its tests that failed.
failed() {
	local memory=.pytest_cache/$1/v/cache/lastfailed
	[ ! -e "$memory" ] || "$python" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$memory"
}

fast=0
tests/fast.sh || fast=$?
rm -rf .pytest_cache/integration .pytest_cache/e2e
# End-to-end tests wait for pods most of the time. What needs no house runs beside them, and gives way to them.
(renice --priority 10 --pid "$BASHPID" >/dev/null && tier integration) >"$results/integration.log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
e2e=0 integration=0
tier e2e || e2e=$?
wait "$beside" || integration=$?
cat "$results/integration.log"
[ "$e2e" -eq 0 ] || collect
for try in second third; do
	again=$(failed integration && failed e2e)
	[ -n "$again" ] && [ "$(wc -l <<<"$again")" -le "${MORE_TRIES:-0}" ] || break
	printf 'FAILED, now for the %s time by themselves:\n%s\n' "$try" "$again"
	for name in integration e2e; do
		# Another code is no test's: the tier was not run to its end.
		[ "${!name}" -ne 1 ] || { printf -v "$name" 0 && tier "$name" --last-failed || printf -v "$name" "$?"; }
	done
done
code=$((e2e ? e2e : integration))
[ "$fast" -eq 0 ] || code=$fast
if [ "$ours" = yes ] && [ "$was_up" = no ]; then
	"$python" -m tests.cluster down >"$results/down.log" 2>&1 || code=1
fi
exit "$code"
