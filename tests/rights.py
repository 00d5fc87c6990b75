"""Granted rights against used ones: what the Role in `manifests/` allows, and what the audit log saw us do.

A test of any tier asks `complaints(granted(), seen(log, namespace), but=allowed("integration"))`. By hand:
`python -m tests.rights <audit log> [tier]` for the log of the local cluster, after whatever was done on it.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.versions import ACCOUNT, NAMESPACE

MANIFESTS = Path(__file__).parents[1] / "manifests"
RBAC = MANIFESTS / "base" / "rbac.yaml"
NODES = MANIFESTS / "components" / "nodes" / "rbac.yaml"
"""What an administrator may grant beyond the namespace."""
GATEWAY = MANIFESTS / "components" / "gateway" / "rbac.yaml"
"""What he grants where the Supervisor is to make Gateways."""
ALLOWED = Path(__file__).parent / "rights.yaml"
REVIEWS = "authorization.k8s.io"
"""API group in which every account may ask what it may do itself."""
FORBIDDEN, CREATED = 403, 201

type Right = tuple[str, str]
"""Resource as kubectl names it (`deployments.apps`, `pods/log`) and verb."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an audit log tells of one user."""

    used: frozenset[Right]
    refused: frozenset[tuple[Right, str]]
    """What of, and the API server's sentence; of no right, ("", ""), when it was asked for somewhere else."""


def granted(manifest: Path = RBAC) -> frozenset[Right]:
    """Every right of the Role, or of the ClusterRole."""
    kinds = ("Role", "ClusterRole")
    roles = (document for document in yaml.safe_load_all(manifest.read_text()) if document["kind"] in kinds)
    return frozenset(
        (_resource(resource, group), verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def allowed(tier: str) -> Mapping[Right, str]:
    """Rights that a run of this tier need not use, with the reason why they are granted all the same."""
    entries = yaml.safe_load(ALLOWED.read_text())["unused"]
    rights = ((entry["right"].split(), entry["why"]) for entry in entries if tier in entry["tiers"])
    return {(resource, verb): why for (resource, *verbs), why in rights for verb in verbs}


def seen(log: Path, namespace: str, *, since: datetime | None = None) -> Seen:
    """What the Supervisor of this namespace did, there and with what is in no namespace, and what it was refused. Other
    users of the log are left out.
    """
    used, refused = set[Right](), set[tuple[Right, str]]()
    for event in _events(log, ACCOUNT.format(namespace=namespace)):
        if since is not None and datetime.fromisoformat(event["stageTimestamp"]) < since:
            continue
        about, status = event.get("objectRef"), event.get("responseStatus", {})
        name = _name(about) if about is not None and about.get("namespace", namespace) == namespace else ""
        if status.get("code") == FORBIDDEN:
            right = (name, event["verb"]) if name else ("", "")
            refused.add((right, status.get("message") or f"{event['verb']} {event['requestURI']}"))
        elif name:
            used.update((name, verb) for verb in _verbs(event["verb"], status))
    return Seen(frozenset(used), frozenset(refused))


def requests(log: Path, namespace: str) -> list[str]:
    """Method and path of each request of the Supervisor, once, watches too, in the order in which they came."""
    found: dict[str, str] = {}
    for event in _events(log, ACCOUNT.format(namespace=namespace)):
        found.setdefault(event["auditID"], f"{event['verb']} {event['requestURI']}")
    return list(found.values())


def complaints(rights: frozenset[Right], did: Seen, *, but: Mapping[Right, str]) -> list[str]:
    """A line for each refusal, each right that nobody used and nobody explains, and each needless explanation."""
    return [
        *overstepped(rights, did),
        *unused(rights, did, but=but),
        *_lines(f"explained in {ALLOWED.name} but not granted", set(but) - rights),
        *_lines(f"explained in {ALLOWED.name} but used", set(but) & did.used),
    ]


def overstepped(rights: frozenset[Right], did: Seen) -> list[str]:
    """A line for each refusal, and for each right that was used and comes from elsewhere.

    What is granted is refused all the same by an API server or a kubelet that has just come up and has not read the
    roles yet; and where it is no question of rights, but of what a pod may be.
    """
    own = {(resource, verb) for resource, verb in did.used if resource.endswith(f".{REVIEWS}")}
    refused = sorted(f"refused: {sentence}" for right, sentence in did.refused if right not in rights)
    return [*refused, *_lines("used, and not granted by us", did.used - rights - own)]


def unused(rights: frozenset[Right], did: Seen, *, but: Mapping[Right, str]) -> list[str]:
    """A line for each right that nobody used and nobody explains."""
    return _lines("granted and not used", rights - did.used - set(but))


def _lines(what: str, rights: Iterable[Right]) -> list[str]:
    return sorted(f"{what}: {verb} {resource}" for resource, verb in rights)


def _events(log: Path, user: str) -> Iterator[dict[str, Any]]:
    """Those of the full logs that are kept, too."""
    for part in (*sorted(log.parent.glob(f"{log.stem}-*{log.suffix}")), log):
        with part.open() as lines:
            # Most lines may be the control plane's: the quick test first. The last one may be half written.
            found = (json.loads(line) for line in lines if user in line and line.endswith("\n"))
            yield from (event for event in found if event["user"]["username"] == user)


def _verbs(verb: str, status: Mapping[str, Any]) -> Iterable[str]:
    """A server-side apply that makes an object needs the right to create, too."""
    return (verb, "create") if verb == "patch" and status.get("code") == CREATED else (verb,)


def _name(about: Mapping[str, str]) -> str:
    part = f"/{about['subresource']}" if about.get("subresource") else ""
    return _resource(about["resource"] + part, about.get("apiGroup", ""))


def _resource(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def main(log: str, tier: str = "e2e", namespace: str = NAMESPACE) -> int:
    found = complaints(granted(), seen(Path(log), namespace), but=allowed(tier))
    print("\n".join(found) or "Every right that is granted was used, and nothing was refused.")
    return len(found)


if __name__ == "__main__":
    sys.exit(min(1, main(*sys.argv[1:])))
