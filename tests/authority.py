"""An authority for certificates as a home has one, which nobody trusts by himself."""

import ssl
from pathlib import Path

from tests.cluster import paths
from tests.cluster.certs import Authority
from tests.cluster.steps import Console, Context


def certified(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """Certificate of a new authority in this folder, and what a server at this IP address serves by."""
    console = Console()
    with Context(paths.from_environment(), console, log_directory=folder).step("certificates") as step:
        authority = Authority(folder)
        authority.ensure(step)
        pair = authority.server(step, "server", names=[], addresses=[address])
    console.close()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    return authority.certificate, tls
