"""How a setting's text becomes its value; a ValueError says what would be right. Pure."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SHORT_NAME = re.compile(r"(?!addon|supervisor|homeassistant|hassio)[a-z]([-a-z0-9]{0,54}[a-z0-9])?")
"""Of a Service, with room for `-config` behind it, and none of those that we have ourselves."""
ANNOTATION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
QUANTITY = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")
DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
REGISTRY = re.compile(rf"({DOMAIN.pattern})(:\d{{1,5}})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
"""Host, port and path, as they stand at the beginning of an image's name."""
PUSHED = re.compile(rf"(http://)?{REGISTRY.pattern}")
HOSTNAME = re.compile(rf"(?=.{{1,253}}$)(?![\d.]+$)(\*\.)?{DOMAIN.pattern}")
"""Of a listener; an address is none."""
NUMBER = re.compile(r"[1-9]\d{0,4}")
PORT = re.compile(rf"(?P<number>{NUMBER.pattern})(/(?P<protocol>tcp|udp))?")
UDP = ("request-response", "one-way", "long-lived")
MACHINE = re.compile(r"[a-z0-9][a-z0-9-]*")
WORKLOAD = re.compile(r"[-_.A-Za-z0-9]+")
ALLOWABLE = frozenset({"capabilities", "host_network", "privileged", "host_paths", "devices"})
"""Classes of what add-ons may ask for (model.allowance.Allow)."""
AMOUNT = re.compile(r"\d+(\.\d+)?(m|Ki|Mi|Gi|Ti|k|M|G|T)?")
MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
"""What an add-on's program can be given a share of."""
_RESOURCE = rf"{DOMAIN.pattern}/[A-Za-z0-9]([-_.A-Za-z0-9]{{0,61}}[A-Za-z0-9])?"
_DEVICE = r"/dev(/[A-Za-z0-9][-+_.A-Za-z0-9]*)+"
ALLOWED = re.compile(
    rf"((?P<slug>{WORKLOAD.pattern})=)?"
    rf"({'|'.join(sorted(ALLOWABLE - {'devices'}))}|devices:({_RESOURCE}|(?P<path>{_DEVICE})))"
)
OPEN_DEVICES = frozenset({"/dev/net/tun"})
"""Devices that every container may use (model.allowance)."""
ATTACHMENT = re.compile(rf"({NAME.pattern}/)?{DOMAIN.pattern}(@(?!eth0$)[a-z][a-z0-9]{{0,14}})?")
"""How Multus names a NetworkAttachmentDefinition; `eth0` is the cluster's own network in every pod."""


def text(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def matches(pattern: re.Pattern[str], right: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(right)
        return value

    return check


def one_of(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value

    return check


def boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError("true or false")
    return lowered in {"true", "1", "yes"}


def port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:  # noqa: PLR2004 - the range of ports
        raise ValueError("a port number from 1 to 65535")
    return int(value)


def seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise ValueError("a number of seconds above 0")
    return seconds


def address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError("an IPv4 address such as 10.96.0.20") from None


def allowed(value: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in value.split(",") if word.strip())
    found = {word: ALLOWED.fullmatch(word) for word in words}
    if not all(found.values()):
        raise ValueError(
            "any of capabilities, host_network, host_paths, privileged, devices:<path below /dev, or resource of a "
            "device plugin>, each for all add-ons or as <slug>=…, with commas between them"
        )
    for word, match in found.items():
        path = match["path"] if match else None
        own = f"{match['slug']}=" if match and match["slug"] else ""
        if path and path not in OPEN_DEVICES and words.isdisjoint({"privileged", f"{own}privileged"}):
            raise ValueError(
                f"with {own}privileged beside {word}: Kubernetes lets only a privileged container open a device by its "
                "path; a device plugin does without"
            )
    return words


def cidrs(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(part.strip())) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks separated by commas, such as 10.42.0.0/16,fd00:42::/56") from None


def core_ports(value: str) -> tuple[str, ...]:
    keys = [part.strip() for part in value.split(",") if part.strip()]
    found = [PORT.fullmatch(key) for key in keys]
    if not all(match and _is_port(match["number"]) for match in found):
        raise ValueError("ports separated by commas, such as 1400/tcp,5353/udp; tcp where nothing else is said")
    return tuple(dict.fromkeys(f"{match['number']}/{match['protocol'] or 'tcp'}" for match in found if match))


def udp(value: str) -> tuple[tuple[int, str], ...]:
    pairs = [part.strip().split("=") for part in value.split(",") if part.strip()]
    if not all(len(pair) == 2 and _is_port(pair[0]) and pair[1] in UDP for pair in pairs):  # noqa: PLR2004 - a pair
        raise ValueError(f"<port>=<one of {', '.join(UDP)}>, with commas between, such as 9002=one-way,5540=long-lived")
    return tuple((int(port), kind) for port, kind in pairs)


def _is_port(text: str) -> bool:
    return bool(NUMBER.fullmatch(text)) and int(text) < 65536  # noqa: PLR2004 - the range of ports


def replicas(value: str) -> int:
    if value not in {"1", "2", "3", "4", "5"}:
        raise ValueError("a number from 1 to 5")
    return int(value)


def _json_object(value: str, right: str, fits: Callable[[str, Any], object]) -> Mapping[str, Any]:
    """One whose entries all fit; ValueError with what would be right."""
    try:
        parsed: Any = json.loads(value)
    except json.JSONDecodeError:
        raise ValueError(right) from None
    if not isinstance(parsed, dict) or not all(fits(name, entry) for name, entry in parsed.items()):
        raise ValueError(right)
    return parsed


def annotations(value: str) -> Mapping[str, str]:
    right = 'a JSON object of names to strings, such as {"metallb.io/address-pool": "lan"}'
    return _json_object(value, right, lambda name, text: ANNOTATION.fullmatch(name) and isinstance(text, str))


def repositories(value: str) -> Mapping[str, str]:
    right = 'a JSON object of slug to git URL, such as {"core": "https://github.com/home-assistant/addons"}'
    return _json_object(value, right, lambda _, url: isinstance(url, str) and url)


def networks(value: str) -> Mapping[str, str]:
    right = (
        "a JSON object of `homeassistant` or an add-on's slug to [<namespace>/]<NetworkAttachmentDefinition>"
        '[@<interface>], several with commas between, such as {"homeassistant": "lan"}'
    )
    return _json_object(
        value,
        right,
        lambda workload, names: (
            WORKLOAD.fullmatch(workload) and isinstance(names, str) and all(map(ATTACHMENT.fullmatch, names.split(",")))
        ),
    )


def resources(value: str) -> Mapping[str, Any]:
    right = (
        "a JSON object of an add-on's slug to `requests` and `limits` of " + ", ".join(sorted(MEASURED)) + ", such as "
        '{"core_mariadb": {"requests": {"memory": "256Mi"}, "limits": {"memory": "1Gi", "cpu": "500m"}}}'
    )
    return _json_object(
        value, right, lambda slug, given: WORKLOAD.fullmatch(slug) and isinstance(given, dict) and _are_amounts(given)
    )


def _are_amounts(given: Mapping[str, Any]) -> bool:
    return set(given) <= {"requests", "limits"} and all(
        isinstance(amounts, dict)
        and set(amounts) <= MEASURED
        and all(isinstance(amount, str) and AMOUNT.fullmatch(amount) for amount in amounts.values())
        for amounts in given.values()
    )
