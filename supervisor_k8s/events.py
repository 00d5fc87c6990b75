"""Signals inside the process: who raises them knows nobody who listens; `bootstrap` connects the two.

Delivery is synchronous and in order; a listener that has to wait puts the signal into a queue of its own.
"""

from collections.abc import Callable


class Signal[T]:
    """A typed signal: `signal.connect(listener)`, `signal(value)`."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []

    def connect(self, listener: Callable[[T], None]) -> None:
        self._listeners.append(listener)

    def __call__(self, value: T) -> None:
        for listener in self._listeners:
            listener(value)
