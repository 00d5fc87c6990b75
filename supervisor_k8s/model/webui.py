"""Where an add-on's own page, published on a port, is reached (the manifest's `webui`). Pure."""

import re
from collections.abc import Mapping
from typing import Any

_TEMPLATE = re.compile(
    r"(?:(?P<plain>https?)|\[PROTO:(?P<option>\w+)\])://\[HOST\]:\[PORT:(?P<port>\d+)\](?P<rest>.*)", re.DOTALL
)


def webui_address(
    template: str | None, *, options: Mapping[str, Any], ports: Mapping[str, int | None], host: str | None
) -> str | None:
    """The address for people. `ports` are container ports with published ones; `host` is where these are reached. While
    nobody knows that, `[HOST]` stays, and the frontend puts its own there, as upstream has it. None without a page, and
    for one whose port is not published.
    """
    match = _TEMPLATE.fullmatch(template or "")
    if match is None:
        return None
    port = int(match["port"])
    published = ports.get(f"{port}/tcp", ports.get(str(port), port))
    if published is None:
        return None
    scheme = match["plain"] or ("https" if options.get(match["option"]) else "http")
    return f"{scheme}://{host or '[HOST]'}:{published}{match['rest']}"
