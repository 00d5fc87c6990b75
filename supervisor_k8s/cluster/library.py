"""What we use of kubernetes_asyncio: its transport and its credentials, and not its 800 typed models and API classes.

The library imports all of these as soon as anything of it is imported: half of our memory and a third of our start. We
render and read plain dicts, so the packages that would do so are put in place here without being executed. Whoever asks
one of them for something else than its modules (nobody of us does) has it executed then.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """A package whose own code runs at the first question that it cannot answer."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(name)
        if find_spec(f"{spec.name}.{name}"):
            return import_module(f"{spec.name}.{name}")
        self.__class__ = ModuleType  # type: ignore[assignment] # an ordinary package from now on
        spec.loader.exec_module(self)
        return getattr(self, name)


def _put_off(*names: str) -> None:
    """Parents first. A package that is there already stays as it is."""
    for name in names:
        spec = find_spec(name)
        if name in sys.modules or spec is None:
            continue
        package = module_from_spec(spec)
        package.__class__ = _Later
        sys.modules[name] = package
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, package)


_put_off("kubernetes_asyncio", "kubernetes_asyncio.client", "kubernetes_asyncio.client.models")

from kubernetes_asyncio.client.api_client import ApiClient  # noqa: E402 - only now
from kubernetes_asyncio.client.configuration import Configuration  # noqa: E402

_client = sys.modules["kubernetes_asyncio.client"]
_client.__dict__.update(ApiClient=ApiClient, Configuration=Configuration)  # where the library itself imports them from

from kubernetes_asyncio.config.config_exception import ConfigException  # noqa: E402
from kubernetes_asyncio.config.incluster_config import InClusterConfigLoader  # noqa: E402

__all__ = ["ApiClient", "ConfigException", "Configuration", "InClusterConfigLoader"]
