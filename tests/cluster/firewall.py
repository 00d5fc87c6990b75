"""Taking packet rules away: kube-proxy's and our nft tables, and CNI's iptables chains.

The port mapping plugin writes into iptables' nat table, which other programs
use too: only rules that carry our network's name go, and chains that are empty
without them.
"""

import json
import shlex
import shutil

from . import versions
from .steps import Step

OURS = (f"ip {versions.NETWORK}", "ip kube-proxy", "ip6 kube-proxy")
SHARED_CHAINS = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK")
"""Chains that the plugin makes once for all networks."""


def remove(step: Step) -> None:
    """Remove the cluster's packet rules."""
    there = tables(step)
    for table in OURS:
        if table in there:
            step.run(["nft", "delete", "table", *table.split()])
    if "ip nat" in there and shutil.which("iptables") is not None:
        _remove_port_mappings(step)


def tables(step: Step) -> set[str]:
    """All nft tables, as "family name"."""
    if shutil.which("nft") is None:
        return set()
    return {line.removeprefix("table ") for line in step.run(["nft", "list", "tables"]).splitlines()}


def remove_if_empty(step: Step, table: str) -> None:
    """Remove a table that has chains but no rule in them."""
    if table not in tables(step):
        return
    found = json.loads(step.run(["nft", "-j", "list", "table", *table.split()]))["nftables"]
    if not any("rule" in entry for entry in found):
        step.run(["nft", "delete", "table", *table.split()])


def _remove_port_mappings(step: Step) -> None:
    rules = _rules(step)
    ours = [rule for rule in rules if any(f'name: "{versions.NETWORK}"' in word for word in rule)]
    for rule in ours:
        _iptables(step, "-D", *rule[1:])
        target = rule[rule.index("-j") + 1]
        if target.startswith("CNI-DN-"):
            _iptables(step, "-F", target)
            _iptables(step, "-X", target)
    if ours and not [rule for rule in _rules(step) if rule[1] == "CNI-HOSTPORT-DNAT"]:
        for rule in _rules(step):
            if rule[rule.index("-j") + 1] in SHARED_CHAINS:
                _iptables(step, "-D", *rule[1:])
        for chain in SHARED_CHAINS:
            _iptables(step, "-F", chain)
            _iptables(step, "-X", chain)


def _rules(step: Step) -> list[list[str]]:
    lines = _iptables(step, "-S").splitlines()
    return [words for words in map(shlex.split, lines) if words[0] == "-A" and "-j" in words]


def _iptables(step: Step, *arguments: str) -> str:
    return step.run(["iptables", "-w", "-t", "nat", *arguments])
