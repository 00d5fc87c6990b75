"""Entry point: read the settings, set up logging, run until SIGTERM; with `--check` only look (`self_check`)."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator

from supervisor_k8s import log
from supervisor_k8s.errors import SupervisorError
from supervisor_k8s.model.desired.self_check import ARGUMENT
from supervisor_k8s.self_check import complaints
from supervisor_k8s.settings import Settings, SettingsError, without_effect
from supervisor_k8s.start import run

_LOGGER = logging.getLogger("supervisor_k8s")


def main() -> int:
    """Exit code 0 after a clean stop, 2 when a setting is wrong, 1 when the installation cannot work as it is."""
    log.set_up(sys.stdout)
    if sys.argv[1:] not in ([], [ARGUMENT]):
        _LOGGER.critical("The only argument there is: %s", ARGUMENT)
        return 2
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        for line in str(error).splitlines():
            _LOGGER.critical("%s", line)
        return 2
    log.set_up(sys.stdout, level=settings.log_level, form=settings.log_format)
    for sentence in without_effect(os.environ):
        _LOGGER.warning("%s", sentence)
    return look(settings) if sys.argv[1:] else live(settings)


def look(settings: Settings) -> int:
    """Say why this version cannot take over; 0 when it can."""
    found = asyncio.run(complaints(settings))
    for sentence in found:
        _LOGGER.critical("%s", sentence)
    return 1 if found else 0


def live(settings: Settings) -> int:
    failed = False
    try:
        asyncio.run(run(settings))
    except* SupervisorError as group:
        failed = True
        for reason in leaves(group):
            _LOGGER.critical("Cannot go on: %s", reason)
    return 1 if failed else 0


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors themselves, out of the groups that nested tasks make of them."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


if __name__ == "__main__":
    sys.exit(main())
