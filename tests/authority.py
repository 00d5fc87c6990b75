"""An authority for certificates as a home has one, which nobody trusts by himself."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import paths
from tests.cluster.certs import Authority, Pair
from tests.cluster.steps import Console, Context


def server_pair(folder: Path, *, names: Sequence[str] = (), addresses: Sequence[str] = ()) -> tuple[Path, Pair]:
    """Certificate of a new authority in this folder, and what it gives a server of these names and IP addresses."""
    console = Console()
    with Context(paths.from_environment(), console, log_directory=folder).step("certificates") as step:
        authority = Authority(folder)
        authority.ensure(step)
        pair = authority.server(step, "server", names=names, addresses=addresses)
    console.close()
    return authority.certificate, pair


def certified(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """Certificate of a new authority in this folder, and what a server at this IP address serves by."""
    authority, pair = server_pair(folder, addresses=[address])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    return authority, tls
