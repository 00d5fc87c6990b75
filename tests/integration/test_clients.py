"""Every public method of three versions of Home Assistant's client: answered in the client's own models, or refused by
the exception its callers expect. What the answers mean is tested with one version in the contract tier, whose house
this is; each version here is a program in an environment of its own, which is made the first time.
"""

from collections.abc import Iterator

import pytest

from supervisor_k8s import errors
from supervisor_k8s.api import envelope
from supervisor_k8s.model.desired.config_check import NAME as CHECK
from supervisor_k8s.model.issue import Cause, Context, Fault
from tests.contract.clients.cases import EVERYWHERE, UPHEAVAL, Scene, failures, write_addons
from tests.contract.clients.client import VERSIONS, Client, Process
from tests.contract.house import CLI_TOKEN, Home
from tests.fakes import Behaviour

KINDS = {
    401: "SupervisorAuthenticationError",
    403: "SupervisorForbiddenError",
    404: "SupervisorNotFoundError",
    503: "SupervisorServiceUnavailableError",
}
"""Class that a client makes of a status."""

pytestmark = pytest.mark.timeout(300)  # the first time an environment is made


@pytest.fixture(scope="session", params=VERSIONS)
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    with Process(request.param) as process:
        assert process.version == request.param
        yield process


def test_keys_and_statuses_agree(process: Process) -> None:
    """A client chooses its exception by the error's key where it knows it, else by the status: callers that look for
    *not found* must find it either way.
    """
    ours = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.SupervisorError)]
    pairs = {(cls.error_key, envelope.status(cls.__new__(cls))) for cls in ours if cls.error_key in process.keys}
    wrong = [pair for pair in pairs if pair[1] in KINDS and KINDS[pair[1]] not in process.keys[pair[0]]]
    assert wrong == []


def test_every_method_has_a_case(process: Process) -> None:
    """A method that is new in a client fails here until somebody looks at it; so does a case for none."""
    cases = {case.method for case in (*EVERYWHERE, *UPHEAVAL)}
    assert set(process.methods) - cases == set()
    if process.version == VERSIONS[-1]:
        assert cases - set(process.methods) == set()


async def test_every_case(process: Process, home: Home) -> None:
    """One house, from its first question to its restart."""

    async def token(whose: str) -> str:
        if whose == "addon":
            return home.addon_token("local_throwaway")
        return CLI_TOKEN if whose == "cli" else home.core_token

    write_addons(home.share / "addons" / "local")
    home.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0)
    resolution = home.house.services.resolution
    client = Client(process, home.url)
    scene = Scene(client=client, tokens=token, core_version="2026.11.0", repository=f"{home.store}/other")
    assert await failures(scene, EVERYWHERE) == []
    resolution.report(Fault(Cause.MISSING_IMAGE, Context.ADDON, "core_mosquitto"))
    scene.known |= {"issue": resolution.issues[0].uuid, "suggestion": resolution.suggestions[0].uuid}
    assert await failures(scene, UPHEAVAL) == []
    assert home.house.stage.name == "stopping"
