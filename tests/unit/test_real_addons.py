"""What real add-ons become in the cluster, as files: chosen so that each differs from the others in what it asks for.

A change that nobody thought of shows here. After a wanted one: `UPDATE_GOLDEN=1 pytest tests/unit/test_real_addons.py`,
then read the diff.
"""

from typing import Any

import pytest

from supervisor_k8s.model.availability import check_available
from supervisor_k8s.model.desired.compose import desired_addon
from tests import golden
from tests.builders import LAUNCH, site
from tests.real_addons import real_addons

PAGES = {"docker_network": True, "pod_cidrs": ("10.42.0.0/16",)}
STICK = ("devices:/dev/ttyUSB0", "privileged")
CASES: dict[str, dict[str, Any]] = {
    "1a32f091_sambanas2": {"allowed": ("capabilities", "host_network", "host_paths", "privileged")},
    "39bd2704_promtail": {"allowed": ("host_paths",)},
    "45df7312_zigbee2mqtt": {**PAGES, "allowed": ("45df7312_zigbee2mqtt=devices:squat.ai/zigbee",)},
    "45df7312_zigbee2mqtt_proxy": {},
    "a0d7b954_adguard": {"allowed": ("host_network",)},
    "a0d7b954_chrony": {"allowed": ("a0d7b954_chrony=capabilities",)},
    "a0d7b954_grocy": PAGES,
    "a0d7b954_influxdb": {},
    "a0d7b954_mqtt-io": {"allowed": ("capabilities", "privileged")},
    "a0d7b954_nodered": {},
    "a0d7b954_nut": {"allowed": STICK},
    "a0d7b954_plex": {"allowed": ("devices:gpu.intel.com/i915",)},
    "a0d7b954_ssh": {},
    "a0d7b954_tailscale": {"allowed": ("capabilities", "devices:/dev/net/tun")},
    "a0d7b954_unifi": {},
    "a0d7b954_wireguard": {"allowed": ("capabilities", "devices:/dev/net/tun"), "arch": "aarch64"},
    "c80c7555_caddy-2": {"allowed": ("c80c7555_caddy-2=host_network",)},
    "c80c7555_pocket-id": {},
    "ccab4aaf_frigate": {**PAGES, "allowed": ("devices:gpu.intel.com/i915", "capabilities")},
    "ccab4aaf_frigate-fa": {"allowed": ("privileged",)},
    "core_cec_scan": {"allowed": ("core_cec_scan=devices:/dev/cec0", "core_cec_scan=privileged")},
    "core_deconz": {"allowed": STICK},
    "core_dnsmasq": {},
    "core_git_pull": {},
    "core_letsencrypt": {},
    "core_mariadb": PAGES,
    "core_matter_server": {"allowed": ("host_network", "host_paths")},
    "core_mosquitto": {},
    "core_nginx_proxy": {},
    "core_openthread_border_router": {"allowed": ("capabilities", "host_network", *STICK)},
    "core_rpc_shutdown": {},
    "core_samba": {"allowed": ("host_network",)},
    "core_whisper": {},
    "core_zwave_js": {},
}
"""Where each runs, beside what `site` says."""
UNPROTECTED = {"1a32f091_sambanas2", "a0d7b954_mqtt-io"}


@pytest.mark.parametrize("slug", CASES)
def test_the_objects_of_a_real_addon_are_these(slug: str) -> None:
    """It may be installed where this is allowed, and becomes, byte for byte, what was reviewed."""
    config, where = real_addons()[slug], site(**CASES[slug])
    check_available(config, where, core_version=None)
    objects = desired_addon(
        config,
        launch_id=LAUNCH,
        version=config.version,
        image=f"{config.image}:{config.version}".replace("{arch}", where.arch),
        options=config.options,
        ports=config.ports,
        timezone="Europe/Amsterdam",
        site=where,
        protected=slug not in UNPROTECTED,
    )
    golden.check(f"real/{slug}.yaml", golden.manifests(objects))
