"""Every public method of Core's client has a case in this tier, or stands here with the reason why not."""

import inspect
import re
from pathlib import Path

from aiohasupervisor import SupervisorClient

REASONS = {
    "time": "the routes `/time/…` are newer than the contract we follow; they come with the issue that adds them",
    "backups": "making, moving and restoring backups is refused as a whole; one case for each kind of refusal",
    "mounts": "making and changing mounts is refused as a whole",
    "os": "commands to an operating system are refused by the table that `test_host` walks through",
    "network": "changing interfaces is refused by the same table",
}
"""Groups of which single methods have no case of their own."""


def test_every_client_method_has_a_case() -> None:
    """A method that is new in the client fails here until somebody looks at it."""
    cases = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    client = SupervisorClient("http://localhost", "token")
    groups = {
        name: getattr(client, name)
        for name, kind in inspect.getmembers(SupervisorClient)
        if isinstance(kind, property) and name not in REASONS
    }
    wanted = [
        f"{group}.{name}"
        for group, instance in {**groups, "client": client}.items()
        for name, _ in inspect.getmembers(instance, inspect.iscoroutinefunction)
        if not name.startswith("_") and name != "close"
    ]
    missing = [method for method in wanted if not re.search(rf"\.{method.partition('.')[2]}\b", cases)]
    assert missing == []
