"""Names and descriptions of an add-on's options and ports in one language: `translations/<language>.yaml`. Pure."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

_OPTION = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Optional("description"): vol.Maybe(str),
        vol.Optional("fields"): {str: vol.Self},
    },
    extra=vol.REMOVE_EXTRA,
)
_TRANSLATION = vol.Schema(
    {vol.Optional("configuration"): {str: _OPTION}, vol.Optional("network"): {str: str}},
    extra=vol.REMOVE_EXTRA,
)


def read_translation(raw: Any) -> Mapping[str, Any] | None:
    """`{"configuration": {option: {name, description?, fields?}}, "network": {port: text}}`, both keys optional.

    None when the file is malformed: one bad language hides neither the add-on nor the others.
    """
    try:
        translation: Mapping[str, Any] = _TRANSLATION(raw)
    except vol.Invalid:
        return None
    return translation
