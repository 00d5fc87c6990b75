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

failed() {
	"$python" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' .pytest_cache/v/cache/lastfailed
}

with_cluster() {
	"$python" -m pytest tests/integration tests/e2e --integration --e2e "$@"
}

fast=0
tests/fast.sh || fast=$?
rm -f .pytest_cache/v/cache/lastfailed
code=0
with_cluster || code=$?
[ "$code" -eq 0 ] || collect
for try in second third; do
	[ "$code" -eq 1 ] && [ "$(failed | wc -l)" -le "${MORE_TRIES:-0}" ] || break
	printf 'FAILED, now for the %s time by themselves:\n%s\n' "$try" "$(failed)"
	code=0
	with_cluster --last-failed || code=$?
done
[ "$fast" -eq 0 ] || code=$fast
if [ "$ours" = yes ] && [ "$was_up" = no ]; then
	"$python" -m tests.cluster down >"$results/down.log" 2>&1 || code=1
fi
exit "$code"
