"""Where the API server is and as whom we speak to it: the service account that every pod gets.

The account's token lives for about an hour and kubelet writes a new one in time, so the file is read again and again.
"""

import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from supervisor_k8s.errors import ClusterError, ClusterUnavailableError

TOKEN_AGE = 60.0
"""Seconds for which a token is used without a look at its file; kubelet's new one overlaps with the old by minutes."""


class Credentials:
    """`server` is the API server's address without a slash at its end; `tls` whom to trust there."""

    def __init__(self, *, server: str, tls: ssl.SSLContext, token: Path | None) -> None:
        """`token` is the file that has it; None when a client certificate in `tls` says who we are."""
        self.server = server.rstrip("/")
        self.tls = tls
        self._token = token
        self._headers: Mapping[str, str] = {}
        self._fresh_until = 0.0

    @classmethod
    def of_pod(cls, environment: Mapping[str, str], account: Path) -> Self:
        """The service account of our pod: kubelet's variables and its folder. ClusterError when we are in none."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            raise ClusterError("There is no API server to work with: KUBERNETES_SERVICE_HOST is unset, is this a pod?")
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        try:
            tls = trusting((account / "ca.crt").read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise ClusterError(f"There is no service account to work with: {error}") from error
        return cls(server=server, tls=tls, token=account / "token")

    def headers(self) -> Mapping[str, str]:
        """What says in a request who we are. ClusterUnavailableError when the token cannot be read."""
        if self._token is not None and time.monotonic() >= self._fresh_until:
            try:
                token = self._token.read_text(encoding="ascii").strip()
            except (OSError, ValueError) as error:
                raise ClusterUnavailableError(f"The service account's token cannot be read: {error}") from error
            self._headers = {"Authorization": f"Bearer {token}"}
            self._fresh_until = time.monotonic() + TOKEN_AGE
        return self._headers

    def renew(self) -> None:
        """The API server does not know the token (any more): the next request reads the file."""
        self._fresh_until = 0.0


def trusting(authority: str) -> ssl.SSLContext:
    """Trust in this certificate authority (PEM) alone. ValueError when it is none."""
    try:
        tls = ssl.create_default_context(cadata=authority)
    except ssl.SSLError as error:
        raise ValueError(f"the certificate authority cannot be read: {error}") from error
    # Python 3.13 asks by default for a key identifier that the authorities of older clusters never got.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return tls
