"""The images that the local cluster runs: ours with our add-ons', Home Assistant Core, one add-on and a git server.

They carry the names that users' images have, so that nothing in the product knows a local build. See
`imports.py` for the contract of `build` and `load`.
"""

from collections.abc import Mapping

from . import buildah, imports
from .buildah import Archive, Recipe
from .paths import Paths
from .steps import Context

SUPERVISOR = "ghcr.io/supervisor-k8s/supervisor:dev"
CORE = "ghcr.io/home-assistant/generic-x86-64-homeassistant:2026.11.0"
OLDER_CORE = "ghcr.io/home-assistant/generic-x86-64-homeassistant:2026.2.3"
"""The last kind of Core that knows its Supervisor by a token: for its own end-to-end tests only."""
GIT_PULL = "ghcr.io/supervisor-k8s/addon-git-pull:2026.11.0"
MOSQUITTO = "docker.io/homeassistant/amd64-addon-mosquitto:7.1.0"
GIT_SERVER = "localhost/git-server:1"
PAGES = "localhost/addon-pages:1.0"
"""An add-on with a page, for the end-to-end tests of ingress only."""
GUARDED = "localhost/addon-guarded:1.0"
"""One that goes by who comes, for those of Docker's network."""
MARIADB = "localhost/addon-mariadb:1.0"
"""The same for databases."""
PROGRAMS = "localhost/addon-programs:1.0"
"""The programs of several other add-ons, by host name."""
BUILDER = "localhost/builder:1"
"""What builds add-ons' images in the cluster, for the tests of that."""

SUPERVISOR_REQUIREMENTS = ("requirements/runtime.txt", "requirements/slim.py")

STABLE = "docker.io/library/debian:trixie-slim"
TESTING = "docker.io/library/debian:forky-slim"
SUITES = {STABLE: "trixie", TESTING: "forky"}
"""Our stand-ins for public base images: name → Debian release."""

ADVICE = "the log ends with the instruction that failed; packages come through this machine's apt and pip"


def build(ctx: Context, *, for_tests: bool = False) -> None:
    """Make every archive that is not in the cache yet; needs no cluster. `for_tests`: those of the tests too."""
    _archives(ctx, for_tests=for_tests)


def load(ctx: Context, *, for_tests: bool = False) -> None:
    """Import every image into the cluster's containerd, unless it is there already."""
    for archive in _archives(ctx, for_tests=for_tests, quiet=True):
        with ctx.step(f"import {archive.name}", advice="is containerd running, and is there disk space?") as step:
            imports.import_archive(ctx.paths, step, archive.path, key=archive.key)


def stable_base(ctx: Context) -> Archive:
    """The stand-in for Debian's public image, for tests that want a shell in a pod."""
    return _base(ctx, STABLE, quiet=True)


def recipe_of(ctx: Context, name: str) -> Recipe:
    """How one image is made that needs no other base than Debian's stable release, which is there then."""
    bases = {suite: buildah.planned_base(ctx.paths, name=suite, suite=SUITES[suite]) for suite in SUITES}
    bases[STABLE] = stable_base(ctx)
    return next(recipe for recipe in recipes(ctx.paths, bases, for_tests=True) if recipe.name == name)


def recipes(paths: Paths, bases: Mapping[str, Archive], *, for_tests: bool) -> list[Recipe]:
    """What each image is made from; the longest build first."""
    ours = paths.repository / "tests" / "images"
    older = Recipe(
        name=OLDER_CORE,
        context=ours / "core",
        inputs=("requirements-2026.2.txt", "standins"),
        bases=(bases[STABLE],),
        args={"BASE": STABLE, "REQUIREMENTS": "requirements-2026.2.txt"},
    )
    pages = Recipe(
        name=PAGES,
        context=ours / "addon-pages",
        inputs=("ask.py", "serve.py", "page"),
        bases=(bases[STABLE],),
    )
    guarded = Recipe(
        name=GUARDED,
        context=ours / "addon-guarded",
        inputs=("nginx.conf", "run.sh"),
        bases=(bases[STABLE],),
    )
    mariadb = Recipe(
        name=MARIADB,
        context=ours / "addon-mariadb",
        inputs=("grants.sql",),
        bases=(bases[STABLE],),
    )
    programs = Recipe(
        name=PROGRAMS,
        context=ours / "addon-programs",
        inputs=("programs",),
        bases=(bases[STABLE],),
    )
    builder = Recipe(name=BUILDER, context=ours / "builder", inputs=(), bases=(bases[STABLE],))
    return [
        Recipe(
            name=CORE,
            context=ours / "core",
            inputs=("requirements.txt", "standins"),
            bases=(bases[TESTING],),
        ),
        Recipe(
            name=SUPERVISOR,
            context=paths.repository,
            inputs=("pyproject.toml", "LICENSE", *SUPERVISOR_REQUIREMENTS, "addons", "rootfs", "supervisor_k8s"),
            bases=(bases[STABLE],),
            layers=True,
        ),
        Recipe(
            name=GIT_PULL,
            context=paths.repository / "addons" / "git_pull",
            inputs=("rootfs",),
            bases=(bases[STABLE],),
            layers=True,
        ),
        Recipe(
            name=MOSQUITTO,
            context=ours / "addon-mosquitto",
            inputs=("home_assistant_logins.c", "run.py"),
            bases=(bases[STABLE],),
        ),
        Recipe(
            name=GIT_SERVER,
            context=ours,
            dockerfile="git-server/Dockerfile",
            inputs=("git-server", "addon-mosquitto/repository"),
            bases=(bases[STABLE],),
        ),
        *([older, pages, guarded, mariadb, programs, builder] if for_tests else []),
    ]


def _archives(ctx: Context, *, for_tests: bool, quiet: bool = False) -> list[Archive]:
    """Every image as an archive, made where it is missing. `quiet` leaves out steps that would find all done."""
    bases = {name: _base(ctx, name, quiet=quiet) for name in SUITES}
    archives = []
    for recipe in recipes(ctx.paths, bases, for_tests=for_tests):
        planned = buildah.planned(ctx.paths, recipe)
        if not (quiet and planned.path.exists()):
            with ctx.step(f"build {recipe.name}", advice=ADVICE) as step:
                buildah.build(ctx.paths, step, recipe)
        archives.append(planned)
    return archives


def _base(ctx: Context, name: str, *, quiet: bool) -> Archive:
    planned = buildah.planned_base(ctx.paths, name=name, suite=SUITES[name])
    if not (quiet and planned.path.exists()):
        with ctx.step(f"base image {name}", advice=ADVICE) as step:
            buildah.base(ctx.paths, step, name=name, suite=SUITES[name])
    return planned
