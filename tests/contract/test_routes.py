"""The routes themselves, compared with the list of all of upstream's v1 registrations."""

from pathlib import Path

from supervisor_k8s.api import absent
from supervisor_k8s.api.app import all_routes

CORPUS = Path(__file__).parent.parent / "corpus"


def test_every_route_of_upstream_and_our_own_is_served_and_no_other() -> None:
    """A route that is missing, unknown or there twice fails here; those of our own have a list of their own."""
    text = "".join((CORPUS / name).read_text() for name in ("routes.tsv", "own_routes.tsv"))
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    wanted = {(path, method) for path, method in lines}
    ours = [(route.path, route.method) for route in all_routes()]
    assert len(ours) == len(set(ours))
    assert set(ours) == wanted


def test_fixed_paths_come_before_variable_ones() -> None:
    """`/mounts/options` is no mount called `options`."""
    paths = [route.path for route in all_routes()]
    for fixed, variable in (
        ("/store/addons/{app}/icon", "/store/addons/{app}/{version}"),
        ("/jobs/info", "/jobs/{uuid}"),
        ("/os/boards/green", "/os/boards/{board}"),
        ("/store/repositories", "/store/addons/{app}"),
    ):
        assert paths.index(fixed) < paths.index(variable)


def test_absent_rows_say_one_thing() -> None:
    """A row either refuses or has data."""
    assert [row for row in absent.TABLE if (row.refusal is None) == (row.data is None)] == []
