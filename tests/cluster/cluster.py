"""The local cluster as a whole: the order in which its parts come up."""

import json

from . import binaries, clusterdns, footprint, gatewayapi, images, metallb, packages, traefik, versions
from .controlplane import ControlPlane, audit_of
from .node import Node, kubectl
from .steps import Context, together


def node(ctx: Context) -> Node:
    """The node of the local cluster with its control plane."""
    audit = audit_of(versions.ACCOUNT.format(namespace=versions.NAMESPACE))
    return Node(ctx, ControlPlane(directory=ctx.paths.state, paths=ctx.paths, node=True, audit=audit))


def up(ctx: Context, *, bare: bool, for_tests: bool = False) -> None:
    """Make and start what is missing; with our images unless `bare`, and `for_tests` with what only tests need."""
    packages.install(ctx, for_tests=for_tests)
    with ctx.step("what is there before us") as step:
        footprint.remember(step, ctx.paths)
    packages.servers(ctx)
    builds = [lambda: _programs(ctx, for_tests=for_tests)]
    if not bare:
        builds.append(lambda: images.build(ctx, for_tests=for_tests))
    together(*builds)
    start(ctx)
    if not bare:
        images.load(ctx, for_tests=for_tests)


def start(ctx: Context) -> None:
    """Start everything of an already built cluster."""
    local = node(ctx)
    together(lambda: _plane(ctx, local), lambda: _runtime(ctx, local))
    local.start()
    clusterdns.apply(ctx)


def status(ctx: Context) -> int:
    """Show what runs; 0 when the cluster is there."""
    local = node(ctx)
    for daemon in (*local.plane.daemons(), *local.daemons()):
        ctx.console.say(f"{'runs' if daemon.running() else 'DOWN':>6}  {daemon.name}")
    if not local.plane.healthy():
        ctx.console.say("The cluster is down. `make up` brings it up.")
        return 1
    with ctx.step("pods") as step:
        pods = json.loads(kubectl(ctx.paths, step, "get", "pods", "-A", "-o", "json"))["items"]
    for pod in pods:
        ready = [
            condition["status"] for condition in pod["status"].get("conditions", []) if condition["type"] == "Ready"
        ]
        state = "ready" if ready == ["True"] else pod["status"]["phase"]
        ctx.console.say(f"{state:>9}  {pod['metadata']['namespace']}/{pod['metadata']['name']}")
    return 0


def _programs(ctx: Context, *, for_tests: bool) -> None:
    binaries.ensure(ctx)
    if for_tests:
        metallb.ensure(ctx)
        gatewayapi.definitions(ctx)
        traefik.ensure(ctx)


def _plane(ctx: Context, local: Node) -> None:
    with ctx.step(
        "control plane", advice="is another program on its ports? `make down` and `make up` begin anew"
    ) as step:
        local.prepare_address(step)
        local.plane.start(step)


def _runtime(ctx: Context, local: Node) -> None:
    local.start_containerd()
    clusterdns.images(ctx)
