"""Stopping the cluster, and taking away everything it made.

`stop` leaves what a machine has after it was switched off: files. `down` takes
the files too. Both find things by what we recorded or by our own paths and
names, never by a program's name alone, and both work on a half-made cluster.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import buildah, firewall, footprint, imagestore, mounts, process, versions
from .node import FORWARD, Node
from .paths import Paths
from .process import Record
from .steps import Context, Failed, Step, until

GRACE = 10.0
"""Seconds the containers get to end by themselves."""
EMPTY_WAIT = 10.0
"""Seconds until a control group of ended processes can be removed."""
CGROUPS = Path("/sys/fs/cgroup")


def stop(ctx: Context, node: Node, *, for_good: bool = False) -> None:
    """End all processes and take away what a reboot would: mounts, interfaces, rules. `for_good` gives the image store
    back, too.
    """
    kubelet, proxy, containerd = node.daemons()
    with ctx.step("stop kubelet and kube-proxy"):
        kubelet.stop()
        proxy.stop()
    with ctx.step("end containers") as step:
        step.note(f"{_end_containers(ctx.paths)} ended")
    forgotten = for_good and imagestore.is_taken(ctx.paths) and containerd.running() and _pods_forgotten(ctx)
    with ctx.step("stop containerd") as step:
        containerd.stop()
        if forgotten:
            imagestore.give_back(ctx.paths, step)
    with ctx.step("stop control plane"):
        for daemon in reversed(node.plane.daemons()):
            daemon.stop()
        for straggler in _stragglers(ctx.paths):
            process.stop(straggler, grace=0)
    with ctx.step("unmount") as step:
        step.note(f"{mounts.unmount(step, below=ctx.paths.state)} mounts")
        for runtime in (ctx.paths.containerd / "run", ctx.paths.state / "s"):
            shutil.rmtree(runtime, ignore_errors=True)
    with ctx.step("network of the node") as step:
        _remove_network(step)
    with ctx.step("control groups"):
        until(_cgroups_gone, within=EMPTY_WAIT, what="the control groups being empty")


def down(ctx: Context, node: Node) -> None:
    """Stop, then remove every file outside of the cache and put settings back."""
    stop(ctx, node, for_good=True)
    with ctx.step("unfinished image builds") as step:
        step.note(f"{buildah.discard_unfinished(ctx.paths, step)} ended")
    with ctx.step("files") as step:
        footprint.remove(step, ctx.paths)
        before = ctx.paths.state / "ip_forward.before"
        if before.exists():
            FORWARD.write_text(before.read_text())
        if left := mounts.mount_points(ctx.paths.state):
            raise Failed(f"still mounted, so nothing is deleted: {', '.join(map(str, left))}")
        if ctx.paths.state.exists():
            shutil.rmtree(ctx.paths.state)
        else:
            step.note("none")


def _pods_forgotten(ctx: Context) -> bool:
    """Whether containerd has nothing left but images. If not, they are imported once more by the next `up`."""
    with ctx.step("forget pods") as step:
        try:
            imagestore.forget_pods(ctx.paths, step)
        except Failed as error:
            step.note(f"not now: {error}")
            return False
        return True


def _end_containers(paths: Paths) -> int:
    """SIGTERM to all containers, SIGKILL to what is left; how many there were."""
    found = list(containers(paths))
    # A sandbox ends last: its network is the network of its containers.
    workloads = [container.record for container in found if not container.is_sandbox]
    for record in workloads:
        _signal(record, signal.SIGTERM)
    with suppress(Failed):  # by force then
        until(lambda: not any(map(process.alive, workloads)), within=GRACE, what="end of containers")
    for container in found:
        _signal(container.record, signal.SIGKILL)
    until(lambda: not any(process.alive(one.record) for one in found), within=GRACE, what="end of containers")
    return len(workloads)


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs now: its first process, the pod it is of, and whether it is that pod's sandbox."""

    record: Record
    namespace: str
    pod: str
    name: str
    """Empty for a sandbox."""
    is_sandbox: bool


def containers(paths: Paths) -> Iterator[Container]:
    """What containerd runs for the node, read from its files: it need not answer."""
    for bundle in (paths.containerd / "run" / "io.containerd.runtime.v2.task" / "k8s.io").glob("*"):
        pid_file, config = bundle / "init.pid", bundle / "config.json"
        if not pid_file.exists() or not config.exists():
            continue
        pid = int(pid_file.read_text())
        record = process.identify(pid)
        groups = Path(f"/proc/{pid}/cgroup")
        # The number may have a new owner; the control group carries the container's id.
        if record is None or not groups.exists() or bundle.name not in groups.read_text():
            continue
        told = json.loads(config.read_text()).get("annotations", {})
        yield Container(
            record,
            namespace=told.get("io.kubernetes.cri.sandbox-namespace", ""),
            pod=told.get("io.kubernetes.cri.sandbox-name", ""),
            name=told.get("io.kubernetes.cri.container-name", ""),
            is_sandbox=told.get("io.kubernetes.cri.container-type") == "sandbox",
        )


def _stragglers(paths: Paths) -> Iterator[Record]:
    """Processes that carry the mark of our daemons: containerd's shims, and whoever was not recorded."""
    mark = f"{process.MARK}={paths.pids}/".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if any(variable.startswith(mark) for variable in environment):
            record = process.identify(int(entry.name))
            if record is not None:
                yield record


def _signal(record: Record, number: signal.Signals) -> None:
    if process.alive(record):
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def _remove_network(step: Step) -> None:
    if f" {versions.NODE_ADDRESS}/" in step.run(["ip", "-4", "-o", "address", "show", "dev", "lo"]):
        step.run(["ip", "address", "del", f"{versions.NODE_ADDRESS}/32", "dev", "lo"])
    if Path(f"/sys/class/net/{versions.BRIDGE}").exists():
        step.run(["ip", "link", "del", versions.BRIDGE])
    firewall.remove(step)


def _cgroups_gone() -> bool:
    """Remove kubelet's control groups as far as they are empty; whether all are gone."""
    roots = [root for root in (CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")) if root.is_dir()]
    for root in roots:
        folders = [Path(folder) for folder, _, _ in os.walk(root, topdown=False)]
        for folder in folders:
            try:
                folder.rmdir()
            except OSError:
                continue  # in use for a moment more
    return not any(root.exists() for root in roots)
