"""What Prometheus may ask."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from git_pull.history import Outcome, Run

_TAKEN = {
    **dict.fromkeys((Outcome.UNCHANGED, Outcome.LIVE, Outcome.WAITS), True),
    **dict.fromkeys((Outcome.INVALID, Outcome.RETURNED), False),
}
"""Whether Home Assistant takes the configuration; the other outcomes say nothing about that."""
_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800)


class Figures:
    """Counted since the start of the program."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self._good_at: float | None = None
        self._behind = False
        mine = self.registry
        self._runs = Counter("git_pull_runs", "Runs, by what became of them", ("outcome",), registry=mine)
        for outcome in Outcome:
            self._runs.labels(outcome)
        self._seconds = Histogram("git_pull_run_seconds", "How long runs took", buckets=_SECONDS, registry=mine)
        self._status = Gauge("git_pull_status", "1 when the last run was good", registry=mine)
        self._last = Gauge("git_pull_last_run_timestamp_seconds", "When the last run began", registry=mine)
        self._good = Gauge("git_pull_last_good_timestamp_seconds", "When the last good run began", registry=mine)
        self._commit = Gauge("git_pull_live_info", "The commit that is live", ("commit",), registry=mine)
        # Of k8s-ha-git-sync; it is not there before it is known.
        self._taken = Gauge("ha_git_sync_config_status", "Shows if pulled configuration is valid", registry=None)
        self._taken_known = False
        lag = Gauge("git_pull_lag_seconds", "How long what is live may have been behind the repository", registry=mine)
        lag.set_function(self._lag)

    def add(self, run: Run, live: str | None) -> None:
        self._runs.labels(run.outcome).inc()
        self._seconds.observe(run.seconds)
        self._status.set(run.good)
        self._last.set(run.until)
        self._behind = not run.good
        if (taken := _TAKEN.get(run.outcome)) is not None:
            self._taken.set(taken)
            if not self._taken_known:
                self.registry.register(self._taken)
                self._taken_known = True
        if run.good or self._good_at is None:
            self._good_at = run.until
        if run.good:
            self._good.set(run.until)
        self._commit.clear()
        if live is not None:
            self._commit.labels(live).set(1)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _lag(self) -> float:
        return max(0.0, self._clock() - self._good_at) if self._behind and self._good_at is not None else 0.0
