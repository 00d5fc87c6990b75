"""Certificates of the links: an authority of our own, one certificate for each end. EC P-256, PEM.

The two ends have different purposes in their certificates, so that the one mounted in a pod opens no other door. Each
launch of an add-on has an authority to itself: what its link holds is worth nothing at another one, or at Core's.
The clock is an argument: what is made and what is judged depends on the arguments alone (and on chance, for keys).
"""

import os
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from supervisor_k8s.errors import UnknownError
from supervisor_k8s.model.desired.docker_network import LINK
from supervisor_k8s.model.desired.link import NAME, KeyPair, LinkKeys

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
LAUNCH_LIFE = AUTHORITY_LIFE
"""Of an add-on's link: nothing of a launch is renewed, and nobody knows for how long it runs."""
RENEW_BEFORE = timedelta(days=30)
_SKEW = timedelta(hours=1)
"""Nodes' clocks differ; a certificate is valid a little before it was made."""
_CLIENT_NAME = "supervisor"


def make_keys(now: datetime, authority: KeyPair | None = None) -> LinkKeys:
    """New certificates for both ends, signed by `authority` or by a new one."""
    authority = authority or _make_authority(now, NAME)
    return LinkKeys(
        authority=authority,
        server=_make_leaf(authority, NAME, ExtendedKeyUsageOID.SERVER_AUTH, now, LEAF_LIFE),
        client=_make_leaf(authority, _CLIENT_NAME, ExtendedKeyUsageOID.CLIENT_AUTH, now, LEAF_LIFE),
    )


def make_launch_keys(now: datetime) -> LinkKeys:
    """Certificates for the link of one launch, by an authority whose key nobody keeps."""
    authority = _make_authority(now, LINK)
    return LinkKeys(
        authority=KeyPair(authority.certificate),
        server=_make_leaf(authority, LINK, ExtendedKeyUsageOID.SERVER_AUTH, now, LAUNCH_LIFE),
        client=_make_leaf(authority, _CLIENT_NAME, ExtendedKeyUsageOID.CLIENT_AUTH, now, LAUNCH_LIFE),
    )


def needs_renewal(certificate: str, now: datetime) -> bool:
    """Whether the PEM certificate ends within RENEW_BEFORE, is not valid yet, or is no certificate at all."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return True
    return now >= parsed.not_valid_after_utc - RENEW_BEFORE or now < parsed.not_valid_before_utc


def why_unfit(certificate: bytes, host: str | None, now: datetime) -> str | None:
    """Why clients would not take a certificate (PEM, the first one counts) for a host name, maybe one with `*.` before
    it; None when they would, as far as they trust who signed it.
    """
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        known = []
    except ValueError:
        return "it holds no certificate that can be read"
    if now >= parsed.not_valid_after_utc:
        return f"its certificate ended on {parsed.not_valid_after_utc:%Y-%m-%d}"
    if now < parsed.not_valid_before_utc:
        return f"its certificate begins on {parsed.not_valid_before_utc:%Y-%m-%d}"
    if host is None or not {host.lower(), f"*.{host.lower().partition('.')[2]}"}.isdisjoint(known):
        return None
    return f"its certificate is for {', '.join(known) or 'no host name'}, and not for {host}"


def usable(pair: KeyPair, authority: KeyPair) -> bool:
    """Whether the key is of our kind and belongs to the certificate, and the authority signed it."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
        key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key()


def client_context(keys: LinkKeys) -> ssl.SSLContext:
    """TLS for our end: trusts our authority alone and shows our certificate.

    The key goes through an anonymous file in memory, because the ssl module reads files only. UnknownError when the
    keys do not fit together.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=keys.authority.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    descriptor = os.memfd_create("link-client", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(keys.client.key.encode() + b"\n" + keys.client.certificate.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise UnknownError(f"The link's client certificate cannot be used: {error.reason}") from error
    finally:
        os.close(descriptor)
    return context


def utc_now() -> datetime:
    return datetime.now(UTC)


def _make_authority(now: datetime, link: str) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{link} authority")
    builder = (
        _builder(name, name, key.public_key(), key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def _make_leaf(
    authority: KeyPair, name: str, purpose: x509.ObjectIdentifier, now: datetime, life: timedelta
) -> KeyPair:
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise UnknownError("The link's authority has a key of another kind than ours")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), issuer.subject, key.public_key(), issuer_key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def _builder(  # noqa: PLR0913, PLR0917 - the parts of a certificate
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer_public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
