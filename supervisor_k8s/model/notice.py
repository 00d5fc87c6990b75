"""Words for issues that Home Assistant has no repair for: what a person reads in a notification instead. Pure."""

from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model.issue import Cause, Context

SHOWN_BY_CORE = frozenset(
    {
        ("addon", "app_port_conflict"), ("addon", "boot_fail"), ("addon", "deprecated_arch_addon"),
        ("addon", "detached_addon_missing"), ("addon", "detached_addon_removed"), ("addon", "pwned"),
        ("mount", "mount_failed"), ("system", "disk_lifetime"), ("system", "docker_config"),
        ("system", "free_space"), ("system", "multiple_data_disks"), ("system", "ntp_sync_failed"),
        ("system", "reboot_required"),
    }
)  # fmt: skip
"""Context and type of issues that become repairs by themselves (Core 2026.11, `hassio/coordinator.py`). For
`deprecated_addon` it has texts, and does not use them.
"""

WORDS: Mapping[str, str] = {
    Cause.STATE_FILE_DAMAGED: "The file {reference} of the Supervisor's own data was damaged and set aside. What it "
    "held is missing; what could be rebuilt from the cluster was.",
    Cause.STATE_NOT_WRITTEN: "The Supervisor cannot write to its own volume. Changes are lost at its next restart.",
    Cause.ADDON_RECORD_LOST: "The record of add-on {reference} is lost, and its manifest is in no store. It is left as "
    "it runs, and cannot be managed before its store is back.",
    Cause.ADDON_RECORD_REBUILT: "The record of add-on {reference} was lost and rebuilt from the cluster. Please look "
    "through its options.",
    Cause.ADDRESS_PENDING: "Ports that add-ons publish cannot be reached from outside the cluster: Service {reference} "
    "has no address: {message}. Where that is meant so, SUPERVISOR_K8S_INTERNAL_L4_MODE=off says it.",
    Cause.ADDRESS_DIFFERENT: "Ports that add-ons publish are reached at {address} and not, as SUPERVISOR_K8S_INTERNAL_"
    "GATEWAY_ADDRESS says, at {wanted}. {message}",
    Cause.UPDATE_ROLLBACK: "The update of {who} did not work: the version before it runs again. The "
    "Supervisor's log says why.",
    Cause.UPDATE_FAILED: "The update of {who} failed. The Supervisor's log says why.",
    Cause.ADDON_MANIFEST_INVALID: "The store {reference} has add-ons that cannot be read: {manifests}",
    Cause.ALLOWED_IN_VAIN: "SUPERVISOR_K8S_ALLOW gives add-ons {reference}, but the cluster does not let such pods in: "
    "{message}",
    Cause.DOCKER_NETWORK_OFF: "The cluster does not let pods have NET_ADMIN, so add-ons cannot see that it is the "
    "Supervisor who asks: pages of many refuse to open. {message}",
    Cause.POD_CIDRS_UNKNOWN: "The networks of the cluster's pods are not known, so databases may refuse other add-ons. "
    "Please set SUPERVISOR_K8S_POD_CIDRS.",
    Cause.PORTS_NOT_ROUTED: "Ports that add-ons publish cannot be reached from outside the cluster, or not all of them."
    " {reference}: {message}",
    Cause.PROXIES_NOT_TRUSTED: "Home Assistant does not trust the proxies of SUPERVISOR_K8S_HA_TRUSTED_PROXIES, and so "
    "refuses who comes through them: {message}",
    Cause.PUBLIC_ROUTE: "The public address of Home Assistant does not work. {reference}: {message}",
    Cause.RIGHTS_MISSING: "The Supervisor's account in the cluster may not: {message}. Please apply the manifests of "
    "the Supervisor's version.",
    Cause.STORE_NOT_LOADED: "The store {reference} cannot be fetched: {message}",
    Cause.SWITCH_LEFT_OPEN: "Git pull was exchanging files of Home Assistant's configuration when it ended, and that "
    "could not be brought to an end before Home Assistant started. {message}",
    Cause.DEPRECATED_ADDON: "Add-on {reference} is deprecated: its authors do not look after it any more. Its "
    "documentation may name a replacement.",
    Cause.DOCKER_RATELIMIT: "Docker Hub gives no more images to this address for now. With a login of yours (Settings, "
    "Apps, Registries) it gives more.",
    Cause.MISSING_IMAGE: "The image of {who} cannot be pulled: {message}",
    Cause.CANNOT_START: "{who} cannot be started: {message}",
    Cause.EVICTED: "The cluster has taken {who} off its node: {message}",
    Cause.NOT_ADMITTED: "The cluster does not let {who} in: {message}",
    Cause.NOT_MOUNTED: "A volume of {who} cannot be mounted: {message}",
    Cause.NO_SANDBOX: "The node cannot prepare the pod of {who}: {message}",
    Cause.OUT_OF_MEMORY: "{who} was ended because it used more memory than it may.",
    Cause.UNHEALTHY: "{who} runs and does not answer: {message}",
    Cause.UNSCHEDULABLE: "No node can take {who}: {message}",
}
"""By cause; `{who}` is the add-on, or what OURS says."""
OURS: Mapping[str, str] = {
    Context.CORE: "Home Assistant",
    Context.DNS_SERVER: "the server of names",
    Context.SUPERVISOR: "the Supervisor",
    Context.SYSTEM: "the proxy for published ports",
}
"""Who it is about, by context."""


def notification(issue: Mapping[str, Any]) -> dict[str, str]:
    """What `persistent_notification.create` is given for an issue in the shape of the API. Its id is the issue's."""
    extra, reference = issue.get("reference_extra") or {}, issue.get("reference")
    who = OURS.get(issue["context"], f"add-on {reference}")
    words = WORDS.get(extra.get("reason", issue["type"]))
    about = f"{issue['type']} ({issue['context']}{': ' + reference if reference else ''})"
    facts = {"message": "no reason given", **extra, "reference": reference, "who": who}
    message = words.format_map(facts) if words else f"The Supervisor has found a problem: {about}"
    return {
        "notification_id": issue["uuid"],
        "title": "Supervisor",
        "message": message[:1].upper() + message[1:],
    }
