"""Doors to add-ons' pages: one for each launch and address, kept for as long as the add-on is there."""

from dataclasses import replace

import pytest

from supervisor_k8s.model.status import NO_ADDRESS
from supervisor_k8s.services.ingress_doors import IngressDoors
from tests import builders

SLUG = "local_page"


class Around:
    """What the service looks at."""

    def __init__(self) -> None:
        self.address = "10.42.0.7"
        self.config = builders.addon(slug="page", ingress=True, ingress_port=8099)
        self.launched("a")
        self.doors = IngressDoors(
            record=lambda _: self.record, config=lambda _: self.config, address=lambda _: self.address
        )

    def launched(self, launch_id: str) -> None:
        intent = builders.intent(config=self.config)
        launch = builders.launch(self.config, id=launch_id)
        self.record = builders.installed(self.config, wanted=replace(intent, launch=launch))


@pytest.fixture
def around() -> Around:
    return Around()


def test_a_door_stays_for_a_launch_at_its_address(around: Around) -> None:
    """Asked again it is the same one, so that nginx need not be told; a new launch and a new address are a new one, and
    the one before is not led to any more.
    """
    first = around.doors.of(SLUG)
    assert first is not None
    assert (first.address, first.port) == ("10.42.0.7", 8099)
    assert around.doors.of(SLUG) is first
    around.launched("b")
    second = around.doors.of(SLUG)
    around.address = "10.42.0.8"
    third = around.doors.of(SLUG)
    assert second is not None
    assert third is not None
    assert len({first.name, second.name, third.name}) == 3
    assert around.doors.opened() == (third,)


async def test_no_door_without_a_pod_nor_for_one_that_is_gone(around: Around) -> None:
    """An add-on that does not run has none, an uninstalled one leaves none."""
    assert around.doors.of(SLUG) is not None
    around.address = NO_ADDRESS
    assert around.doors.of(SLUG) is None
    await around.doors.forget(SLUG)
    assert around.doors.opened() == ()
