# The two commands that matter: `make up` (Home Assistant on a Kubernetes of this machine) and `make test`.
.DEFAULT_GOAL := help
.PHONY: help up down stop start status env logs check test test-fast bench

# Bring-up needs no more than the standard library; the tools of the other targets live in a virtual environment.
PYTHON_FOUND = $$(tests/cluster/find-python.sh)
VENV = $$(tests/cluster/venv.sh)
# CLUSTER=external KUBECONFIG=… [OVERLAY=…] [CONFIRM=yes]: up, down, status, env and test on a cluster of yours.
export CLUSTER OVERLAY CONFIRM
CLUSTER_CLI = python=$(PYTHON_FOUND) && "$$python" -m tests.cluster

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | sed 's/\$$\$$/$$/' | expand -t 20

up: ## Home Assistant with our Supervisor on a local Kubernetes (root); says where the UI is
	@$(CLUSTER_CLI) up

down: ## Remove everything `make up` made, but the caches
	@$(CLUSTER_CLI) down

stop: ## End all processes as a power cut of the node would; the data stay
	@$(CLUSTER_CLI) stop

start: ## Start again after `make stop` or a reboot
	@$(CLUSTER_CLI) start

status: ## What runs
	@$(CLUSTER_CLI) status

env: ## Lines for a shell: eval "$$(make -s env)"
	@$(CLUSTER_CLI) env

logs: ## Follow the Supervisor's log
	@$(CLUSTER_CLI) env >/dev/null && eval "$$($(MAKE) -s env)" && \
	kubectl --namespace="$${HOUSE_NAMESPACE:-home-assistant}" logs --follow --tail=100 deployment/supervisor

check: ## Lint, format, types, and the arrows between the layers
	@venv=$(VENV) && PATH="$$venv/bin:$$PATH" && \
	ruff check && ruff format --check && mypy && PYTHONPATH=addons/git_pull/rootfs/app lint-imports

test-fast: ## Unit and contract tier: no root, no cluster
	@tests/fast.sh

test: check ## All tiers; makes the cluster when there is none (CLUSTER=external: uses yours)
	@CLUSTER=$(CLUSTER) tests/cluster/test-all.sh

# What needs a cluster is measured when `make up` has made one, and named as not run when it has not.
bench: ## Figures: a table, and test-results/bench.json (`make bench OPTIONS="--only info"`)
	@venv=$(VENV) && env -u PYTHONDONTWRITEBYTECODE PYTHONPATH=addons/git_pull/rootfs/app "$$venv/bin/python" -m tests.bench $(OPTIONS)
