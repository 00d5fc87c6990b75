"""Who is told of faults, where a test has no house."""

import asyncio
from collections.abc import Mapping

from supervisor_k8s.model.issue import Fault

PATIENCE = 20.0


class Told:
    """Knows those that are there now."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.changes = 0
        """How often one came or went."""

    def report(self, fault: Fault) -> None:
        if fault not in self.faults:
            self.faults.append(fault)
            self.changes += 1

    def settle(self, fault: Fault) -> None:
        if fault in self.faults:
            self.faults.remove(fault)
            self.changes += 1

    async def becomes(self, wanted: Mapping[str, str]) -> None:
        """What they are about, and a part of their message."""

        def agrees() -> bool:
            said = {str(fault.reference): str(dict(fault.extra).get("message")) for fault in self.faults}
            return said.keys() == wanted.keys() and all(words in said[about] for about, words in wanted.items())

        try:
            async with asyncio.timeout(PATIENCE):
                while not agrees():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{wanted} was not told, but {self.faults}") from None
