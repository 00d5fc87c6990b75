"""The pod in which an add-on's image is built and pushed: buildah, which needs no daemon and no privileged pod. Pure.

Two containers, one after the other, on one volume of the pod's own. The first runs the commands of a stranger's
Dockerfile and has no credentials; the second has those of the registries (`desired/registries.py`) and runs nothing of
the add-on. Neither has a token of the cluster.

The profile is the one that was seen to work: root with containerd's default capabilities (two of which CRI-O does not
give by itself), from which buildah makes a user namespace; that takes `unshare` and `mount`, which the runtime's
seccomp and AppArmor profiles forbid. So the namespace's Pod Security level must be `privileged`. Commands run in a
chroot, and layers are plain folders (`vfs`): both work on every node.
"""

from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.build import Recipe
from supervisor_k8s.model.desired.one_off import one_off_job
from supervisor_k8s.model.desired.pull import KUBERNETES_ARCH, PULL_SECRETS
from supervisor_k8s.model.desired.registries import DOCUMENT
from supervisor_k8s.model.desired.security import pod_security
from supervisor_k8s.model.desired.volumes import SHARED, shared_volume
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

BUILD, PUSH = "build", "push"
FOLDER = "addons/build"
"""On the shared volume, where no add-on has a mount: an add-on's folder as an archive, while it is being built."""
ARCHIVE = "context.tar"
_PLAIN = "http://"
_REGISTRIES = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n'
"""As Docker reads the names in a Dockerfile: `debian:13` is Docker Hub's."""
_SCRIPT = """set -e
mkdir /build/context /build/tmp
tar -xf /source/context.tar -C /build/context
printf '%s' "$REGISTRIES" > /build/registries.conf
exec buildah "$@" /build/context"""
_STORAGE = ("--root", "/build/storage", "--runroot", "/build/run", "--storage-driver", "vfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """What builds, and where the image goes."""

    image: str
    """With buildah, tar and a shell."""
    push: str
    """The registry, with its path if it has one, as pods reach it; `http://` before it for one without TLS."""
    deadline: int
    """Seconds for all of it."""


def build_name(slug: str) -> str:
    """Of the Job, and of the folder on the shared volume."""
    return f"build-{naming.addon_name(slug)}"


def build_job(slug: str, image: str, recipe: Recipe, builder: Builder, site: Site) -> Manifest:
    """Job that builds `image` (its name below the registry, with tag) and pushes it. The digest that the registry knows
    it by is the termination message of the second container.
    """
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "imagePullSecrets": list(PULL_SECRETS),
        "nodeSelector": {"kubernetes.io/arch": KUBERNETES_ARCH.get(site.arch, site.arch)},
        "securityContext": {
            **pod_security(site),
            "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"},
        },
        "initContainers": [_container(BUILD, builder, site) | _build(slug, image, recipe)],
        "containers": [_container(PUSH, builder, site) | _push(image, builder)],
        "volumes": [
            shared_volume(site),
            {"name": "work", "emptyDir": {}},
            {"name": "login", "secret": {"secretName": naming.REGISTRIES_SECRET}},
        ],
    }
    return one_off_job(build_name(slug), pod, deadline=builder.deadline, site=site)


def trial_pod(job: Manifest) -> Manifest:
    """The Job's pod, for a dry run: of one that the cluster does not let in, a Job says nothing until its deadline."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: job["metadata"][key] for key in ("name", "namespace", "labels")},
        "spec": job["spec"]["template"]["spec"],
    }


def _container(name: str, builder: Builder, site: Site) -> dict[str, Any]:
    return {
        "name": name,
        "image": builder.image,
        "imagePullPolicy": site.image_pull_policy,
        "securityContext": {"runAsUser": 0, "capabilities": {"add": ["SETFCAP", "SYS_CHROOT"]}},
    }


def _build(slug: str, image: str, recipe: Recipe) -> dict[str, Any]:
    # Docker's format has a place for HEALTHCHECK, the OCI's has none. The host's network is the pod's.
    command = ["--registries-conf=/build/registries.conf", *_STORAGE, "build", "--isolation=chroot", "--network=host"]
    command += ["--format=docker"]
    command += [f"--tag=localhost/{image}", f"--file=/build/context/{recipe.dockerfile}"]
    command += [_literal(f"--build-arg={name}={value}") for name, value in recipe.args.items()]
    command += [_literal(f"--label={name}={value}") for name, value in recipe.labels.items()]
    return {
        "command": ["sh", "-c", _SCRIPT, "buildah", *command],
        "env": [{"name": "TMPDIR", "value": "/build/tmp"}, {"name": "REGISTRIES", "value": _REGISTRIES}],
        "volumeMounts": [
            {"name": "work", "mountPath": "/build"},
            {"name": SHARED, "mountPath": "/source", "subPath": f"{FOLDER}/{build_name(slug)}", "readOnly": True},
        ],
    }


def _push(image: str, builder: Builder) -> dict[str, Any]:
    insecure = builder.push.startswith(_PLAIN)
    command = ["push", *(["--tls-verify=false"] if insecure else []), "--digestfile=/dev/termination-log"]
    to = f"docker://{builder.push.removeprefix(_PLAIN)}/{image}"
    login = {"name": "REGISTRY_AUTH_FILE", "value": f"/login/{DOCUMENT}"}
    return {
        "command": ["buildah", *_STORAGE, *command, f"localhost/{image}", to],
        "env": [{"name": "TMPDIR", "value": "/build/tmp"}, login],
        "volumeMounts": [
            {"name": "work", "mountPath": "/build"},
            {"name": "login", "mountPath": "/login", "readOnly": True},
        ],
    }


def _literal(word: str) -> str:
    """As it reaches the program: kubelets fill variables in, `$(NAME)`."""
    return word.replace("$", "$$")
