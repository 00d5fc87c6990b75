"""A client of the cluster that a kubeconfig names: tests look in from outside, the product only ever from its pod."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.cluster.library import Configuration
from supervisor_k8s.remote.certificates import make_keys, utc_now


def client_of(kubeconfig: Path) -> Client:
    """Requests as the user of the current context, by token or client certificate; an event loop must be running."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    configuration = Configuration(host=cluster["server"].rstrip("/"))
    configuration.ssl_ca_cert = _file(cluster, "certificate-authority", kubeconfig)
    configuration.cert_file = _file(user, "client-certificate", kubeconfig)
    configuration.key_file = _file(user, "client-key", kubeconfig)
    if "token" in user:
        configuration.api_key["BearerToken"] = f"Bearer {user['token']}"
    return Client(Credentials(configuration))


def kubeconfig(folder: Path, server: str) -> Path:
    """One that leads to `server`, in a file of this folder. With an authority, as every cluster has one: without it all
    of the machine's are read, which takes its time.
    """
    path = folder / "kubeconfig"
    (folder / "ca.crt").write_text(_authority())
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server.rstrip("/"), "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"token": "sesame"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    return path


@cache
def _authority() -> str:
    return make_keys(utc_now()).authority.certificate


def _named(entries: list[Any], name: str) -> Any:
    return next(entry for entry in entries if entry["name"] == name)


def _file(entry: dict[str, str], key: str, kubeconfig: Path) -> str | None:
    """The file `<key>`, or one beside the kubeconfig with `<key>-data`; None when there is neither."""
    if f"{key}-data" in entry:
        path = kubeconfig.with_suffix(f".{key}")
        path.write_bytes(base64.b64decode(entry[f"{key}-data"]))
        return str(path)
    return str(kubeconfig.parent / entry[key]) if key in entry else None
