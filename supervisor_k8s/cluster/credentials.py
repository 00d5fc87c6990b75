"""Where the API server is and as whom we speak to it: the service account that every pod gets.

kubernetes_asyncio reads the account's folder, and its token anew every minute: it lives for about an hour, and kubelet
writes a new one in time.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from supervisor_k8s.cluster.library import ConfigException, Configuration, InClusterConfigLoader
from supervisor_k8s.errors import ClusterError


class Credentials:
    """kubernetes_asyncio's configuration of one API server, and the means to look at its token again."""

    def __init__(self, configuration: Any, loader: Any = None) -> None:
        """`loader` is what renews the token; None when a client certificate says who we are."""
        # Log followers and watches each hold a connection, so the number of these is not limited.
        configuration.connection_pool_maxsize = 0
        # Python 3.13 asks by default for a key identifier that the authorities of older clusters never got.
        configuration.disable_strict_ssl_verification = True
        self.configuration = configuration
        self._loader = loader

    @classmethod
    def of_pod(cls, environment: Mapping[str, str], account: Path) -> Self:
        """The service account of our pod: kubelet's variables and its folder. ClusterError when we are in none."""
        configuration = Configuration()
        loader = InClusterConfigLoader(
            token_filename=str(account / "token"), cert_filename=str(account / "ca.crt"), environ=dict(environment)
        )
        try:
            loader.load_and_set(configuration)
        except (ConfigException, OSError) as error:
            raise ClusterError(
                f"There is no service account to work with in {account}, is this a pod? {error}"
            ) from error
        return cls(configuration, loader)

    def renew(self) -> None:
        """The API server does not know the token (any more): the next request reads the file."""
        if self._loader is not None:
            self._loader.token_expires_at = datetime.min  # noqa: DTZ901 - the library compares naive times
