"""etcd and the Kubernetes control plane, as ordinary processes.

Used twice: by the local cluster, and alone (no root, no kubelet, free ports, a
temporary folder) by the integration tier:

    plane = ControlPlane(
        directory=tmp, paths=paths, address="127.0.0.1", ports=Ports.free(), audit=AUDIT_ALL, tied=True
    )
    plane.start(step)
    ... plane.kubeconfig, plane.audit_log ...
    plane.stop()
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.free_ports import free_ports

from . import binaries, packages, versions
from .certs import Authority, Pair, write
from .paths import Paths
from .process import Daemon
from .steps import Step, until

READY_WAIT = 90.0
"""Seconds a control plane may take to become ready on a busy two-core machine."""
ASK_WAIT = 5.0

AUDIT_ALL = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete, deletecollection]
  - level: Metadata
"""
"""Every request, changes with their bodies."""
AUDIT_SIZE, AUDIT_KEPT = 100, 1
"""Megabytes at which a new log is begun, and how many full ones stay."""


def audit_of(user: str) -> str:
    """A policy for what this user asks, without the bodies."""
    return f"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: [{json.dumps(user)}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the parts listen."""

    api: int = versions.API_PORT
    etcd: int = versions.ETCD_PORT
    etcd_peer: int = versions.ETCD_PEER_PORT
    controller_manager: int = versions.CONTROLLER_MANAGER_PORT
    scheduler: int = versions.SCHEDULER_PORT

    @classmethod
    def free(cls) -> "Ports":
        """Ports of 127.0.0.1 that nobody uses now."""
        api = free_ports(5)
        return cls(api=api, etcd=api + 1, etcd_peer=api + 2, controller_manager=api + 3, scheduler=api + 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """One control plane in one folder."""

    directory: Path
    paths: Paths
    """Only its cache is used: the programs."""
    address: str = versions.NODE_ADDRESS
    ports: Ports = Ports()
    node: bool = False
    """Whether there is a node: then pods are scheduled, and exec and logs reach the kubelet."""
    controllers: bool = False
    """Whether the controller manager runs (garbage collection, Deployments, service accounts)."""
    audit: str = ""
    """Policy (YAML) that says which requests are written to `audit_log`; none without one."""
    rate: int = 0
    """Requests per second that the controllers may make; 0 for their own default of 20, at which a thousand Deployments
    take minutes.
    """
    tied: bool = False
    """Whether all ends with the process that started it."""
    extra: Sequence[str] = ()
    """More arguments for kube-apiserver."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's access."""
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.directory / "logs" / "audit.log"

    @property
    def _audit_policy(self) -> Path:
        return self.directory / "audit-policy.yaml"

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.ports.api}"

    @property
    def authority(self) -> Authority:
        return Authority(self.directory / "certificates")

    def start(self, step: Step) -> None:
        """Start what does not run, and wait until the API server is ready."""
        self._certificates(step)
        daemons = self.daemons()
        started = [daemon.name for daemon in daemons[:2] if daemon.ensure()]
        until(self._ready, within=READY_WAIT, what="the API server being ready")
        # The others end when they start before their rights are there.
        started += [daemon.name for daemon in daemons[2:] if daemon.ensure()]
        step.note(f"started {', '.join(started)}" if started else "running")

    def stop(self) -> None:
        """End it; its data stay."""
        for daemon in reversed(self.daemons()):
            daemon.stop()

    def healthy(self) -> bool:
        """Whether all parts run and the API server says that it is ready."""
        return all(daemon.running() for daemon in self.daemons()) and self._ready()

    def daemons(self) -> list[Daemon]:
        """The processes, in the order in which they start."""
        daemons = [self._daemon("etcd", self._etcd()), self._daemon("kube-apiserver", self._apiserver())]
        if self.controllers or self.node:
            daemons.append(self._daemon("kube-controller-manager", self._controller_manager()))
        if self.node:
            daemons.append(self._daemon("kube-scheduler", self._scheduler()))
        return daemons

    def _daemon(self, name: str, arguments: Sequence[str]) -> Daemon:
        program = packages.etcd_program(self.paths) if name == "etcd" else binaries.program(self.paths, name)
        reads = [self.authority.certificate]
        if self.audit and name == "kube-apiserver":
            reads.append(self._audit_policy)
        return Daemon(
            name=name,
            command=[str(program), *arguments],
            pids=self.directory / "pids",
            logs=self.directory / "logs",
            reads=reads,
            tied=self.tied,
        )

    def _certificates(self, step: Step) -> None:
        authority = self.authority
        authority.ensure(step)
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        names.append(f"kubernetes.default.svc.{versions.CLUSTER_DOMAIN}")
        addresses = sorted({self.address, "127.0.0.1", versions.API_SERVICE_ADDRESS})
        authority.server(step, "apiserver", names=names, addresses=addresses)
        authority.client(step, "apiserver-kubelet", user="apiserver", group="system:masters")
        authority.client(step, "front-proxy", user="front-proxy")
        self._access(step, "admin", self.kubeconfig, user="admin", group="system:masters")
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._access(step, name, self.directory / f"{name}.kubeconfig", user=f"system:{name}")
        if self.audit:
            write(self._audit_policy, self.audit)

    def _access(self, step: Step, name: str, target: Path, *, user: str, group: str = "") -> None:
        pair = self.authority.client(step, name, user=user, group=group)
        namespace = versions.NAMESPACE if name == "admin" else "default"
        self.authority.kubeconfig(target, pair, server=self.server, namespace=namespace)

    def _pair(self, name: str) -> Pair:
        return Pair(self.authority.directory / f"{name}.crt", self.authority.directory / f"{name}.key")

    def _etcd(self) -> list[str]:
        client = f"http://127.0.0.1:{self.ports.etcd}"
        peer = f"http://127.0.0.1:{self.ports.etcd_peer}"
        return [
            "--name=local",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=local={peer}",
            "--auto-compaction-retention=1",
            "--logger=zap",
        ]

    def _apiserver(self) -> list[str]:
        ca = self.authority
        serving, kubelet, proxy = (self._pair(name) for name in ("apiserver", "apiserver-kubelet", "front-proxy"))
        loopback = self.address.startswith("127.")
        return [
            f"--etcd-servers=http://127.0.0.1:{self.ports.etcd}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            # Nobody may be told to reach the API server at a loopback address.
            f"--endpoint-reconciler-type={'none' if loopback else 'lease'}",
            f"--secure-port={self.ports.api}",
            f"--cert-dir={self.directory}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={ca.certificate}",
            f"--service-account-issuer=https://kubernetes.default.svc.{versions.CLUSTER_DOMAIN}",
            f"--service-account-key-file={ca.service_accounts}",
            f"--service-account-signing-key-file={ca.service_accounts}",
            f"--service-cluster-ip-range={versions.SERVICE_CIDR}",
            f"--kubelet-certificate-authority={ca.certificate}",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={ca.certificate}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy.certificate}",
            f"--proxy-client-key-file={proxy.key}",
            "--enable-aggregator-routing=true",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            f"--enable-admission-plugins={'NodeRestriction' if self.node else ''}",
            # Without controllers nobody makes the service account that every pod needs.
            *([] if self.controllers or self.node else ["--disable-admission-plugins=ServiceAccount"]),
            *(self._audit() if self.audit else []),
            *self.extra,
        ]

    def _audit(self) -> list[str]:
        return [
            f"--audit-policy-file={self._audit_policy}",
            f"--audit-log-path={self.audit_log}",
            f"--audit-log-maxsize={AUDIT_SIZE}",
            f"--audit-log-maxbackup={AUDIT_KEPT}",
        ]

    def _controller_manager(self) -> list[str]:
        ca = self.authority
        return [
            *self._client("kube-controller-manager"),
            f"--secure-port={self.ports.controller_manager}",
            f"--root-ca-file={ca.certificate}",
            f"--service-account-private-key-file={ca.service_accounts}",
            f"--cluster-signing-cert-file={ca.certificate}",
            f"--cluster-signing-key-file={ca.key}",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=false",
            *([f"--kube-api-qps={self.rate}", f"--kube-api-burst={self.rate}"] if self.rate else []),
        ]

    def _scheduler(self) -> list[str]:
        return [*self._client("kube-scheduler"), f"--secure-port={self.ports.scheduler}"]

    def _client(self, name: str) -> list[str]:
        kubeconfig = self.directory / f"{name}.kubeconfig"
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            # Serving certificates are made in memory: nobody else asks these ports.
            "--cert-dir=",
            "--leader-elect=false",
        ]

    def _ready(self) -> bool:
        for daemon in self.daemons()[:2]:
            daemon.check()
        admin = self._pair("admin")
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(admin.certificate, admin.key)
        try:
            with urllib.request.urlopen(f"{self.server}/readyz", context=context, timeout=ASK_WAIT) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
