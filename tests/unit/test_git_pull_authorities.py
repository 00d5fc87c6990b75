"""Git pull's option for authorities of one's own: what it takes, and what it says of anything else."""

import ssl

import pytest

from git_pull.errors import OptionsError
from git_pull.options import Options
from git_pull.rest import trust

LINES = """-----BEGIN CERTIFICATE-----
MIIBPjCB8aADAgECAhRNthJop3PxyYK5E248Xoq0OZNR7jAFBgMrZXAwFDESMBAG
A1UEAwwJT3VyIGhvdXNlMCAXDTI2MTEyMjIxMTgxMloYDzIxMjYxMDI5MjExODEy
WjAUMRIwEAYDVQQDDAlPdXIgaG91c2UwKjAFBgMrZXADIQA+Etds3Z+9ivceRTs9
Sp51Uwo1rykBHxL5OTWqz7UX7qNTMFEwHQYDVR0OBBYEFG45SfPwrnpeA2erYPO8
OGiipN1RMB8GA1UdIwQYMBaAFG45SfPwrnpeA2erYPO8OGiipN1RMA8GA1UdEwEB
/wQFMAMBAf8wBQYDK2VwA0EAi4PsTEGqOs3HJDeGYIfHeABTUeI3R+MA+6xC3z3U
twZCLAeG/oIFaTMTKztHgtBJdIhhlKdkGpHElxhJoB6eAw==
-----END CERTIFICATE-----""".splitlines()
"""The certificate of an authority called Our house."""


def read(lines: list[str]) -> str:
    given = {"repository": "https://git.example.com/house.git", "certificate_authority": lines}
    return Options.read(given).source.authorities


def test_certificates() -> None:
    """As lines, in one entry, in one line as a field of one line has it, indented, several, with words around them."""
    pem = "\n".join(LINES) + "\n"
    assert read(LINES) == pem
    assert read([pem]) == pem
    assert read([" ".join(LINES)]) == pem
    assert read(["# ours", *(f"  {line}\r" for line in LINES), "", *LINES]) == pem * 2
    assert read([]) == read([""]) == ""


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["our-house.crt"], "has no certificate"),
        (
            ["-----BEGIN PRIVATE KEY-----", "c2VjcmV0", "-----END PRIVATE KEY-----"],
            "has a private key and no certificate",
        ),
        (LINES[:-1], "has no certificate"),
        ([*LINES, *LINES[:3]], "has a part of a certificate only"),
        ([*LINES, *LINES[:3], *LINES[5:]], "Certificate 2 of the option certificate_authority cannot be read"),
        ([LINES[0], "s3cret!", LINES[-1]], "Certificate 1 of the option certificate_authority cannot be read"),
        ([LINES[0], LINES[-1]], "Certificate 1 of the option certificate_authority cannot be read"),
    ],
)
def test_what_is_none(lines: list[str], told: str) -> None:
    """The option is named, what is wrong and what would be right; nothing of what was given is shown."""
    with pytest.raises(OptionsError, match=told) as error:
        read(lines)
    right = "it must have PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, one entry a line"
    assert str(error.value).endswith(right)
    assert "certificate_authority" in str(error.value)
    assert not any(word in str(error.value) for word in ("s3cret", "c2VjcmV0", LINES[1]))


def test_they_are_trusted_beside_the_systems() -> None:
    """As who asks a forge trusts them."""
    ours, systems = (set(trust(pem).get_ca_certs(binary_form=True)) for pem in (read(LINES), ""))
    assert ours - systems == {ssl.PEM_cert_to_DER_cert("\n".join(LINES))}
    assert systems < ours
