"""What Kubernetes insists on keeping at fixed places outside of our state directory.

Before the first start it is written down which of these places existed; `down`
removes those that did not, and in the others only what names our cluster.
"""

import json
import shutil
from pathlib import Path

from . import firewall, versions
from .paths import Paths
from .steps import Step

PLACES = (
    Path("/run/containerd"),
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
)
TABLES = ("ip nat", "ip6 nat")
"""nft tables that iptables makes on its first use and never removes."""
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")


def remember(step: Step, paths: Paths) -> None:
    """Write down, once, which places and tables are not ours."""
    record = _record(paths)
    if not record.exists():
        places = [str(place) for place in PLACES if not place.exists()]
        tables = sorted(set(TABLES) - firewall.tables(step))
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"places": places, "tables": tables}))


def remove(step: Step, paths: Paths) -> None:
    """Remove what the cluster left at these places."""
    record = _record(paths)
    made = json.loads(record.read_text()) if record.exists() else {"places": [], "tables": []}
    for place in made["places"]:
        shutil.rmtree(place, ignore_errors=True)
    for table in made["tables"]:
        firewall.remove_if_empty(step, table)
    if CNI_RESULTS.is_dir():
        for result in CNI_RESULTS.glob(f"{versions.NETWORK}-*"):
            result.unlink()
    if CONTAINER_LOGS.is_dir():
        for link in CONTAINER_LOGS.iterdir():
            if link.is_symlink() and paths.state in link.readlink().parents:
                link.unlink()


def _record(paths: Paths) -> Path:
    return paths.state / "made-outside.json"
