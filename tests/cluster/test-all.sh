#!/usr/bin/env bash
# All tiers on the local cluster, or with CLUSTER=external on the caller's, where `make up` has been before.
#
# The cluster is left as it was found: up when it was up, gone when it was not.
# What the cluster knows about a failure is collected in test-results/.
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

summary() {
	code=$1
	if [ "$code" -ne 0 ]; then
		kubectl get pods,events -A -o wide >"$results/events.txt" 2>&1 || true
		kubectl cluster-info dump --namespaces "${HOUSE_NAMESPACE:-home-assistant},kube-system" \
			--output-directory="$results/cluster" >/dev/null 2>&1 || true
		[ "$ours" = no ] || cp -r /var/lib/supervisor-k8s-local/logs "$results/" || true
	fi
	if [ "$ours" = yes ] && [ "$was_up" = no ]; then
		"$python" -m tests.cluster down >"$results/down.log" 2>&1 || code=1
	fi
	exit "$code"
}

code=0
tests/fast.sh || code=$?
"$python" -m pytest tests/integration tests/e2e --integration --e2e || code=$?
summary "$code"
