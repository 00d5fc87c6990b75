"""Certificates and kubeconfigs, made once by openssl and then kept.

One authority signs everything. Each file is made only when it is missing, and
moved into place when it is complete.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .steps import Step

DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate authority of one cluster, and the folder of all its certificates."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def service_accounts(self) -> Path:
        """The key that signs service account tokens."""
        return self.directory / "service-accounts.key"

    def ensure(self, step: Step) -> None:
        """Make the authority and the service account key."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key(step, self.service_accounts)
        if self.certificate.exists():
            return
        self._key(step, self.key)
        new = self.certificate.with_suffix(".new")
        subject = ["-subj", "/CN=supervisor-k8s-local", "-days", DAYS]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
        step.run(["openssl", "req", "-x509", "-new", "-key", self.key, *subject, *usage, "-out", new])
        new.rename(self.certificate)

    def client(self, step: Step, name: str, *, user: str, group: str = "") -> Pair:
        """A certificate that Kubernetes takes for this user and group."""
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        return self._sign(step, name, subject, ["extendedKeyUsage=clientAuth"])

    def server(self, step: Step, name: str, *, names: Sequence[str], addresses: Sequence[str]) -> Pair:
        """A certificate for a server of these names and addresses."""
        alternatives = ",".join([*(f"DNS:{n}" for n in names), *(f"IP:{a}" for a in addresses)])
        extensions = ["extendedKeyUsage=serverAuth", f"subjectAltName={alternatives}"]
        return self._sign(step, name, f"/CN={name}", extensions)

    def kubeconfig(self, target: Path, pair: Pair, *, server: str, namespace: str = "default") -> Path:
        """Write a kubeconfig that refers to the files of this pair, unless it is the same already."""
        cluster = {"certificate-authority": str(self.certificate), "server": server}
        user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        context = {"cluster": "local", "user": "local", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "local", "user": user}],
            "contexts": [{"name": "local", "context": context}],
            "current-context": "local",
        }
        write(target, json.dumps(config, indent=1), mode=0o600)
        return target

    def _sign(self, step: Step, name: str, subject: str, extensions: Sequence[str]) -> Pair:
        pair = Pair(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        if pair.certificate.exists():
            return pair
        self._key(step, pair.key)
        extra = self.directory / f"{name}.ext"
        extra.write_text("\n".join(["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", *extensions]) + "\n")
        request = self.directory / f"{name}.csr"
        step.run(["openssl", "req", "-new", "-key", pair.key, "-subj", subject, "-out", request])
        new = pair.certificate.with_suffix(".new")
        signer: list[str | Path] = ["-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial"]
        step.run(["openssl", "x509", "-req", "-in", request, *signer, "-days", DAYS, "-extfile", extra, "-out", new])
        new.rename(pair.certificate)
        return pair

    def _key(self, step: Step, target: Path) -> None:
        if target.exists():
            return
        new = target.with_suffix(".new")
        new.touch(mode=0o600)
        # The older form, "EC PRIVATE KEY": kube-apiserver does not take the other one for service accounts.
        step.run(["openssl", "ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", new])
        new.rename(target)


def write(target: Path, text: str, *, mode: int = 0o644) -> bool:
    """Write a file unless it says this already. True when it was written."""
    if target.exists() and target.read_text() == text:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    new.touch(mode=mode)
    new.write_text(text)
    new.rename(target)
    return True
