"""Words for issues that Home Assistant has no repair for: what a person reads in a notification instead. Pure."""

from collections.abc import Mapping
from typing import Any

SHOWN_BY_CORE = frozenset(
    {
        ("addon", "app_port_conflict"), ("addon", "boot_fail"), ("addon", "deprecated_addon"),
        ("addon", "deprecated_arch_addon"), ("addon", "detached_addon_missing"), ("addon", "detached_addon_removed"),
        ("addon", "pwned"), ("mount", "mount_failed"), ("system", "disk_lifetime"), ("system", "docker_config"),
        ("system", "free_space"), ("system", "multiple_data_disks"), ("system", "reboot_required"),
    }
)  # fmt: skip
"""Context and type of issues that become repairs by themselves (Core 2026.2 and 2026.11)."""

WORDS: Mapping[str, str] = {
    "state_file_damaged": "The file {reference} of the Supervisor's own data was damaged and set aside. What it held "
    "is missing; what could be rebuilt from the cluster was.",
    "state_not_written": "The Supervisor cannot write to its own volume. Changes are lost at its next restart.",
    "addon_record_lost": "The record of add-on {reference} is lost, and its manifest is in no store. It is left as it "
    "runs, and cannot be managed before its store is back.",
    "addon_record_rebuilt": "The record of add-on {reference} was lost and rebuilt from the cluster. Please look "
    "through its options.",
    "update_rollback": "The update of Home Assistant did not work: the version before it runs again. The Supervisor's "
    "log says why.",
    "update_failed": "The update of Home Assistant failed. The Supervisor's log says why.",
    "addon_manifest_invalid": "The store {reference} has add-ons that cannot be read: {manifests}",
}


def notification(issue: Mapping[str, Any]) -> dict[str, str]:
    """What `persistent_notification.create` is given for an issue in the shape of the API. Its id is the issue's."""
    facts = {**(issue.get("reference_extra") or {}), "reference": issue.get("reference")}
    about = f"{issue['type']} ({issue['context']}{': ' + facts['reference'] if facts['reference'] else ''})"
    words = WORDS.get(issue["type"])
    message = words.format_map(facts) if words else f"The Supervisor has found a problem: {about}"
    return {"notification_id": issue["uuid"], "title": "Supervisor", "message": message}
