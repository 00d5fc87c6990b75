"""A client of the cluster that a kubeconfig names: tests look in from outside, the product only ever from its pod."""

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import yaml

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.credentials import Credentials, trusting


def client_of(kubeconfig: Path) -> Client:
    """Requests as the user of the current context, by token or client certificate; an event loop must be running."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    authority = _pem(cluster, "certificate-authority", kubeconfig.parent)
    tls = trusting(authority) if authority else ssl.create_default_context()
    token = None
    if "token" in user:
        token = kubeconfig.with_suffix(".token")
        token.write_text(user["token"])
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
            both.write("\n".join(_pem(user, f"client-{part}", kubeconfig.parent) for part in ("certificate", "key")))
            both.flush()
            tls.load_cert_chain(both.name)
    return Client(Credentials(server=cluster["server"], tls=tls, token=token))


def _named(entries: list[Any], name: str) -> Any:
    return next(entry for entry in entries if entry["name"] == name)


def _pem(entry: dict[str, str], key: str, folder: Path) -> str:
    """From `<key>-data`, or from the file `<key>`; empty when there is neither."""
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"]).decode()
    return (folder / entry[key]).read_text() if key in entry else ""
