"""What is known of single add-ons better than their manifests tell: which of their requests they can do without, and
which they cannot. Found by reading their sources; nothing here makes an add-on more than its manifest asks for. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_DISKS = "shares of other computers and disks of the node"
_NO_DISKS = {"SYS_ADMIN": _DISKS, "DAC_READ_SEARCH": _DISKS}
_DISCOVERY = "what is found by multicast (mDNS, SSDP)"


@dataclass(frozen=True, slots=True)
class Note:
    """By keys of `compatibility.REQUESTS`, or names of capabilities."""

    dispensable: Mapping[str, str] = field(default_factory=dict)
    """It runs without; with what is lost then."""
    essential: tuple[str, ...] = ()
    """It makes no sense without."""


_NONE = Note()
_RASPBEE = "a RaspBee at the node's GPIO pins"
_MUSIC_ASSISTANT = Note(dispensable=_NO_DISKS)
_FRIGATE = Note(dispensable={"PERFMON": "load figures of the graphics processor", "SYS_ADMIN": _DISKS})
_FRIGATE_FULL_ACCESS = Note(dispensable={**_FRIGATE.dispensable, "full_access": "devices at the node"})
BY_SLUG: Mapping[str, Note] = {
    "core_assist_microphone": Note(essential=("audio",)),
    "core_cec_scan": Note(essential=("devices",)),
    "core_deconz": Note(dispensable=dict.fromkeys(("SYS_RAWIO", "SYS_MODULE", "kernel_modules"), _RASPBEE)),
    "core_rpc_shutdown": Note(dispensable={"host_network": "the node's own address when it calls other computers"}),
    "core_silabs_flasher": Note(essential=("devices",)),
    "core_silabs_multiprotocol": Note(essential=("devices",)),
    "core_vlc": Note(essential=("audio",)),
    "a0d7b954_motioneye": Note(dispensable={"host_network": _DISCOVERY, **_NO_DISKS}),
    "a0d7b954_nodered": Note(dispensable={"host_network": f"{_DISCOVERY}, and ports that flows open"}),
    "a0d7b954_nut": Note(essential=("devices",)),
    "a0d7b954_spotify": Note(essential=("audio",)),
    "a0d7b954_ssh": Note(
        dispensable={
            "host_network": "the node's own network in the shell",
            "docker_api": "the docker command",
            "journald": "the node's journal",
            **dict.fromkeys(
                ("NET_ADMIN", "SYS_ADMIN", "SYS_RAWIO", "SYS_TIME", "SYS_NICE"), "commands that administer the node"
            ),
        }
    ),
    "a0d7b954_tailscale": Note(
        dispensable={
            "host_network": "the node's own networks as routes",
            "SYS_ADMIN": "mounts of its own",
        }
    ),
    "a0d7b954_zerotier": Note(essential=("devices",)),
    "d5369777_local_audio": Note(essential=("audio",)),
    "d5369777_music_assistant": _MUSIC_ASSISTANT,
    "d5369777_music_assistant_beta": _MUSIC_ASSISTANT,
    "d5369777_music_assistant_nightly": _MUSIC_ASSISTANT,
    "ccab4aaf_frigate": _FRIGATE,
    "ccab4aaf_frigate-beta": _FRIGATE,
    "ccab4aaf_frigate-fa": _FRIGATE_FULL_ACCESS,
    "ccab4aaf_frigate-fa-beta": _FRIGATE_FULL_ACCESS,
}
BY_REPOSITORY: Mapping[str, Note] = {"db21ed7f": Note(dispensable={**_NO_DISKS, "host_network": _DISCOVERY})}
"""Stores whose manifests all ask for the same things, and whose programs go on without."""


def note_on(slug: str) -> Note:
    """What is known of this add-on."""
    return BY_SLUG.get(slug) or BY_REPOSITORY.get(slug.partition("_")[0], _NONE)
