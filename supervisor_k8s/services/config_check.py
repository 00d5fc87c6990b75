"""Whether Home Assistant Core would take a configuration: the live one, or one that somebody wants to make live.

Core's own checker says so, in a pod of its own; whether Core runs makes no difference.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from supervisor_k8s.errors import CandidateInvalidError, ConfigInvalidError, OneOffError, RefusedError
from supervisor_k8s.model.config_check import Findings, added, findings, is_valid, plain
from supervisor_k8s.model.desired.config_check import NAME, OVERLAY, Candidate, check_job
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.model.site import Site
from supervisor_k8s.state.overlay import REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigCheck:
    """`run` has a Job done, `image` is Core's with its tag."""

    run: Callable[[Manifest], Awaitable[Ended]]
    image: Callable[[], str]
    timezone: Callable[[], str]
    site: Site

    async def live(self) -> None:
        """Check what Core runs with. ConfigInvalidError with all that the checker wrote; OneOffError, ClusterError when
        it could not be checked.
        """
        ended = await self.run(self._job())
        output = plain(ended.output)
        if not is_valid(ended.exit_code, output):
            raise ConfigInvalidError(output)

    async def candidate(self, candidate: Candidate) -> Findings:
        """Check a candidate. The answer's warnings are those that the live configuration has, too, or all where that
        has errors: the checker ends early at some, so nobody knows what else it would warn of, and whoever mends a
        broken house is not to be held up.

        CandidateInvalidError for errors and for warnings that a live configuration without errors does not have;
        RefusedError when the folder is none that can be checked; OneOffError, ClusterError when it could not be
        checked.
        """
        found = await self._found(candidate)
        new = found.warnings
        if new and not found.errors:
            live = await self._found(None)
            new = () if live.errors else added(new, live.warnings)
        if found.errors or new:
            raise CandidateInvalidError("\n".join((*found.errors, *new)), errors=list(found.errors), warnings=list(new))
        return found

    async def _found(self, candidate: Candidate | None) -> Findings:
        ended = await self.run(self._job(candidate, data=True))
        if ended.container == OVERLAY:
            error = RefusedError if ended.exit_code == REFUSED else OneOffError
            raise error(ended.output.strip() or f"The candidate cannot be laid out: exit code {ended.exit_code}")
        found = findings(ended.output)
        if found is None:
            last = "\n".join(plain(ended.output).splitlines()[-20:])
            raise OneOffError(name=NAME, reason=f"exit code {ended.exit_code}, and no result in its output:\n{last}")
        return found

    def _job(self, candidate: Candidate | None = None, *, data: bool = False) -> Manifest:
        return check_job(self.image(), self.timezone(), self.site, candidate=candidate, data=data)
