"""The one node: its address and network, containerd, kubelet and kube-proxy.

Everything is below the state directory, so that another containerd or kubelet
of the machine is not touched. The settings that look odd are answers to
machines with few rights: see the comments.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from . import binaries, imagestore, versions
from .certs import write
from .controlplane import ControlPlane
from .paths import Paths
from .process import Daemon
from .steps import Context, Step, until

CONTAINERD_WAIT = 60.0
NODE_WAIT = 120.0
"""Seconds until containerd answers, and until the node is Ready."""

CNI_PLUGINS = "/usr/lib/cni"
"""Where Debian has them."""
UPSTREAM_RESOLV = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")

CONTAINERD_CONFIG = """\
version = 3
root = "{store}"
state = "{root}/run"

[grpc]
  address = "{socket}"

[plugins."io.containerd.shim.v1.manager"]
  # Short, because socket paths are limited, and ours, so that `down` finds all.
  socket_dir = "{sockets}"

[plugins."io.containerd.cri.v1.runtime"]
  # A machine without CAP_SYS_RESOURCE may not lower anybody's oom score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "{shim}"

    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
      Root = "{root}/run/runc"
      SystemdCgroup = false

  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{root}/cni"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{pause}"

[plugins."io.containerd.cri.v1.images".registry]
  # Read at each pull.
  config_path = "{registries}"

[plugins."io.containerd.nri.v1.nri"]
  disable = true
"""

MASQUERADE = """\
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {pods} ip daddr != {pods} oifname != "{bridge}" masquerade
  }}
}}
"""
"""Pods reach the world by the node's address. Ours and not the bridge plugin's
ipMasq: one table is easier to take away than rules among others' rules."""


@dataclass(frozen=True, slots=True)
class Node:
    """The processes of the node and what they need."""

    ctx: Context
    plane: ControlPlane

    @property
    def paths(self) -> Paths:
        return self.ctx.paths

    def start(self) -> None:
        """Start containerd, then kubelet and kube-proxy; return when the node can take pods."""
        with self.ctx.step("node network") as step:
            self._network(step)
        with self.ctx.step("kubelet and kube-proxy") as step:
            self._certificates(step)
            started = [daemon.name for daemon in (self._kubelet(), self._proxy()) if daemon.ensure()]
            step.note(f"started {', '.join(started)}" if started else "running")
        with self.ctx.step("node ready", advice=f"see {self._kubelet().log}") as step:
            until(lambda: self._is_ready(step), within=NODE_WAIT, what="the node being Ready", every=0.5)

    def start_containerd(self) -> None:
        """Start containerd; images can be imported then."""
        daemon = self._containerd()
        with self.ctx.step("containerd", advice=f"see {daemon.log}") as step:
            if not daemon.running():
                imagestore.take(self.paths)
            (self.paths.containerd / "cni").mkdir(parents=True, exist_ok=True)
            write(self.paths.containerd / "config.toml", self._containerd_config())
            write(self.paths.containerd / "cni" / "10-local.conflist", _cni(self.paths))
            step.note("started" if daemon.ensure() else "running")

            def answers() -> bool:
                daemon.check()
                ctr = binaries.program(self.paths, "ctr")
                quiet = f"{ctr} --address {self.paths.containerd_socket} --timeout 2s version >/dev/null 2>&1"
                return step.run(["sh", "-c", f"{quiet} && echo yes || true"]).strip() == "yes"

            until(answers, within=CONTAINERD_WAIT, what="containerd answering", every=0.2)

    def daemons(self) -> tuple[Daemon, ...]:
        """The processes of the node, in the order in which they are stopped."""
        return self._kubelet(), self._proxy(), self._containerd()

    def prepare_address(self, step: Step) -> None:
        """Give the machine the node's address; the API server listens there."""
        known = step.run(["ip", "-4", "-o", "address", "show", "dev", "lo"])
        if f" {versions.NODE_ADDRESS}/" not in known:
            step.run(["ip", "address", "add", f"{versions.NODE_ADDRESS}/32", "dev", "lo"])

    def _network(self, step: Step) -> None:
        before = self.paths.state / "ip_forward.before"
        if FORWARD.read_text().strip() != "1":
            before.write_text(FORWARD.read_text())
            FORWARD.write_text("1\n")
        tables = step.run(["nft", "list", "tables"])
        if f"table ip {versions.NETWORK}\n" not in tables:
            rules = MASQUERADE.format(table=versions.NETWORK, pods=versions.POD_CIDR, bridge=versions.BRIDGE)
            step.run(["nft", "-f", "-"], stdin=rules)
        write(self.paths.state / "resolv.conf", _resolv_conf())

    def _certificates(self, step: Step) -> None:
        ca = self.plane.authority
        name = versions.NODE_NAME
        ca.server(step, "kubelet-server", names=[name], addresses=[versions.NODE_ADDRESS])
        kubelet = ca.client(step, "kubelet", user=f"system:node:{name}", group="system:nodes")
        proxy = ca.client(step, "kube-proxy", user="system:kube-proxy")
        ca.kubeconfig(self.paths.state / "kubelet.kubeconfig", kubelet, server=self.plane.server)
        ca.kubeconfig(self.paths.state / "kube-proxy.kubeconfig", proxy, server=self.plane.server)
        write(self.paths.state / "kubelet.yaml", json.dumps(self._kubelet_config(), indent=1))
        write(self.paths.state / "kube-proxy.yaml", json.dumps(self._proxy_config(), indent=1))

    def _containerd(self) -> Daemon:
        config = self.paths.containerd / "config.toml"
        return Daemon(
            name="containerd",
            command=[str(binaries.program(self.paths, "containerd")), "--config", str(config)],
            pids=self.paths.pids,
            logs=self.paths.logs,
            reads=[config],
        )

    def _kubelet(self) -> Daemon:
        config = self.paths.state / "kubelet.yaml"
        return Daemon(
            name="kubelet",
            command=[
                str(binaries.program(self.paths, "kubelet")),
                f"--config={config}",
                f"--kubeconfig={self.paths.state / 'kubelet.kubeconfig'}",
                f"--root-dir={self.paths.kubelet}",
                f"--hostname-override={versions.NODE_NAME}",
                f"--node-ip={versions.NODE_ADDRESS}",
            ],
            pids=self.paths.pids,
            logs=self.paths.logs,
            reads=[config],
        )

    def _proxy(self) -> Daemon:
        config = self.paths.state / "kube-proxy.yaml"
        return Daemon(
            name="kube-proxy",
            command=[str(binaries.program(self.paths, "kube-proxy")), f"--config={config}"],
            pids=self.paths.pids,
            logs=self.paths.logs,
            reads=[config],
        )

    def _containerd_config(self) -> str:
        return CONTAINERD_CONFIG.format(
            store=self.paths.image_store,
            root=self.paths.containerd,
            socket=self.paths.containerd_socket,
            sockets=self.paths.state / "s",
            shim=binaries.program(self.paths, "containerd-shim-runc-v2"),
            runc=binaries.program(self.paths, "runc"),
            plugins=CNI_PLUGINS,
            pause=versions.PAUSE_IMAGE,
            registries=self.paths.registries,
        )

    def _kubelet_config(self) -> dict[str, object]:
        ca = self.plane.authority.directory
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": versions.NODE_ADDRESS,
            "containerRuntimeEndpoint": f"unix://{self.paths.containerd_socket}",
            "authentication": {
                "x509": {"clientCAFile": str(ca / "ca.crt")},
                "webhook": {"enabled": True},
                "anonymous": {"enabled": False},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(ca / "kubelet-server.crt"),
            "tlsPrivateKeyFile": str(ca / "kubelet-server.key"),
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [versions.DNS_SERVICE_ADDRESS],
            "clusterDomain": versions.CLUSTER_DOMAIN,
            "resolvConf": str(self.paths.state / "resolv.conf"),
            "podLogsDir": str(self.paths.state / "pod-logs"),
            "volumePluginDir": str(self.paths.state / "volume-plugins"),
            "makeIPTablesUtilChains": False,
            # A small disk is no reason to evict, and images that were built here cannot be pulled again.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 99,
            "imageGCLowThresholdPercent": 98,
            "imageMinimumGCAge": "8760h",
            "serializeImagePulls": False,
            "maxPods": 250,
        }

    def _proxy_config(self) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(self.paths.state / "kube-proxy.kubeconfig")},
            "hostnameOverride": versions.NODE_NAME,
            "bindAddress": versions.NODE_ADDRESS,
            "clusterCIDR": versions.POD_CIDR,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "conntrack": {"maxPerCore": 0},
            "oomScoreAdj": 0,
        }

    def _is_ready(self, step: Step) -> bool:
        for daemon in self.daemons():
            daemon.check()
        condition = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
        if kubectl(self.paths, step, "get", "nodes", "-o", f"jsonpath={condition}").strip() != "True":
            return False
        # After a reboot the condition is an old one: let the kubelet itself answer.
        asked = f"/api/v1/nodes/{versions.NODE_NAME}/proxy/healthz"
        kube = f"{binaries.program(self.paths, 'kubectl')} --kubeconfig={self.paths.kubeconfig}"
        return step.run(["sh", "-c", f"{kube} get --raw {asked} || true"]).strip() == "ok"


def kubectl(paths: Paths, step: Step, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as the administrator of the local cluster."""
    program = binaries.program(paths, "kubectl")
    return step.run([program, f"--kubeconfig={paths.kubeconfig}", *arguments], stdin=stdin)


def _cni(paths: Paths) -> str:
    bridge = {
        "type": "bridge",
        "bridge": versions.BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "mtu": _mtu(),
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": versions.POD_CIDR}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(paths.containerd / "addresses"),
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": versions.NETWORK, "plugins": [bridge, ports]}, indent=1)


def _mtu() -> int:
    """The smallest packet size of the machine's interfaces: what pods send must fit through each."""
    interfaces = Path("/sys/class/net")
    sizes = [
        int((interface / "mtu").read_text())
        for interface in interfaces.iterdir()
        # Real and virtual network cards; not bridges, tunnels and the like, which may be another cluster's.
        if (interface / "device").exists()
    ]
    return min([1500, *sizes])


def _resolv_conf() -> str:
    """The machine's name servers, but none that only the machine itself can reach."""
    for source in UPSTREAM_RESOLV:
        if source.exists():
            lines = source.read_text().splitlines()
            usable = [line for line in lines if line.startswith("nameserver") and " 127." not in line]
            if usable:
                return os.linesep.join(usable) + os.linesep
    return ""
