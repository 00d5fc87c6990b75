"""Certificates of authorities that the user trusts beside those of the system. Pure."""

import base64
import binascii
import re
import ssl
from collections.abc import Sequence

from git_pull.errors import OptionsError

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_BETWEEN = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)
_RIGHT = f"it must have PEM, from {_BEGIN} to {_END}, one entry a line"


def certificates(lines: Sequence[str], *, option: str) -> str:
    """All that there are, as PEM; what stands between them is left out. OptionsError, which tells nothing of them: it
    may be a key.
    """
    text = "\n".join(lines)
    if not text.strip():
        return ""
    found = _BETWEEN.findall(text)
    if not found:
        what = "a private key and no certificate" if "PRIVATE KEY-----" in text else "no certificate"
        raise OptionsError(f"The option {option} has {what}; {_RIGHT}")
    if not text.count(_BEGIN) == text.count(_END) == len(found):
        raise OptionsError(f"The option {option} has a part of a certificate only; {_RIGHT}")
    return "".join(_certificate(body, number, option) for number, body in enumerate(found, start=1))


def _certificate(body: str, number: int, option: str) -> str:
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content)
    except (binascii.Error, ssl.SSLError, ValueError) as error:
        raise OptionsError(f"Certificate {number} of the option {option} cannot be read; {_RIGHT}") from error
    return ssl.DER_cert_to_PEM_cert(content)
