"""How the parts are built by which somebody outside of the cluster gets in: published ports, the public address."""

from collections.abc import Awaitable, Callable, Collection

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.model.desired.balanced import L4Choice, Mode
from supervisor_k8s.model.desired.public_route import PublicChoice
from supervisor_k8s.model.issue import Faults
from supervisor_k8s.model.site import Site
from supervisor_k8s.services.public_route import PublicRoute
from supervisor_k8s.settings import Settings


def optional_kinds(settings: Settings) -> Collection[str]:
    """What the settings need of the kinds that a cluster need not serve."""
    public = {"Gateway", "HTTPRoute"} if settings.public_gateway else set[str]()
    ports = {"Gateway", "TCPRoute", "UDPRoute"} if Mode(settings.l4_mode) is Mode.GATEWAY else set[str]()
    return frozenset(public | ports)


def l4_choice(settings: Settings) -> L4Choice:
    """What the administrator chose for published ports."""
    return L4Choice(
        mode=Mode(settings.l4_mode),
        local=settings.l4_local,
        name=settings.gateway_name,
        address=settings.gateway_address,
        annotations=settings.l4_annotations,
        sources=settings.l4_sources,
        replicas=settings.l4_replicas,
        image=settings.l4_image,
        udp=dict(settings.l4_udp),
        gateway_class=settings.public_class,
    )


def public_route(  # noqa: PLR0913 - what has a part in it
    settings: Settings,
    cluster: Cluster,
    site: Site,
    *,
    converge: Callable[[str], Awaitable[None]],
    poke: Callable[[str], None],
    faults: Callable[[], Faults],
) -> PublicRoute:
    """Where the settings ask for one."""
    choice = PublicChoice(
        wanted=settings.public_gateway,
        name=settings.public_name,
        gateway_class=settings.public_class,
        hostname=settings.public_hostname,
        secret=settings.public_secret,
    )
    return PublicRoute(cluster=cluster, choice=choice, site=site, converge=converge, poke=poke, faults=faults)
