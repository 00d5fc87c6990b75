"""What suggestions do when they are applied: for each pair of context and suggestion the verb that a user could as well
have called. What works on an add-on is a job like any other, so that nothing else works on the same add-on.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from supervisor_k8s.jobs import Jobs, Parts, Progress
from supervisor_k8s.model.intent import job_group
from supervisor_k8s.model.issue import Context, Cure, Fault

type Remedy = Callable[[Fault], Awaitable[None]]
type Verb = Callable[[str], Awaitable[object]]
"""Given the slug of an add-on or of a repository. What it raises says why the suggestion could not be applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """Of add-ons and of the store."""

    start: Verb
    stop: Verb
    restart: Callable[[str, Parts], Awaitable[object]]
    uninstall: Verb
    pull: Callable[[str, Progress], Awaitable[object]]
    """Has the image of an installed add-on brought to a node."""
    boot_manually: Verb
    """The add-on is not to come up by itself any more."""
    unpublish: Callable[[str, int], Awaitable[object]]
    """The add-on is not to publish this port any more."""
    fetch_store: Verb
    """Clones a repository anew."""
    remove_store: Verb


def remedies(jobs: Jobs, verbs: Verbs) -> Mapping[tuple[Context, Cure], Remedy]:
    """By context and suggestion."""

    def job(name: str, work: Callable[[str, Progress], Awaitable[object]]) -> Remedy:
        async def apply(fault: Fault) -> None:
            slug = str(fault.reference)
            await jobs.do(name, slug, job_group(slug), lambda progress: work(slug, progress))

        return apply

    def at_once(verb: Verb) -> Remedy:
        async def apply(fault: Fault) -> None:
            await verb(str(fault.reference))

        return apply

    async def repair(slug: str, progress: Progress) -> None:
        await verbs.pull(slug, progress)
        await verbs.restart(slug, progress.part)

    async def unpublish(fault: Fault) -> None:
        await verbs.unpublish(str(fault.reference), dict(fault.extra)["port"])

    return {
        (Context.ADDON, Cure.CLEAR_PORT_CONFIG): unpublish,
        (Context.ADDON, Cure.EXECUTE_START): job("app_start", lambda slug, _: verbs.start(slug)),
        (Context.ADDON, Cure.EXECUTE_STOP): job("app_stop", lambda slug, _: verbs.stop(slug)),
        (Context.ADDON, Cure.EXECUTE_RESTART): job("app_restart", lambda slug, whole: verbs.restart(slug, whole.part)),
        (Context.ADDON, Cure.EXECUTE_REPAIR): job("app_repair", repair),
        (Context.ADDON, Cure.EXECUTE_REMOVE): job("app_uninstall", lambda slug, _: verbs.uninstall(slug)),
        (Context.ADDON, Cure.DISABLE_BOOT): at_once(verbs.boot_manually),
        (Context.STORE, Cure.EXECUTE_RELOAD): at_once(verbs.fetch_store),
        (Context.STORE, Cure.EXECUTE_RESET): at_once(verbs.fetch_store),
        (Context.STORE, Cure.EXECUTE_REMOVE): at_once(verbs.remove_store),
    }
