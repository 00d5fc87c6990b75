"""Runs the program and counts what it does: calls of the product's functions, and jumps within them (turns of loops).

    COUNTS=FILE python -m tests.integration.counted

At SIGUSR1 the counts by function go to FILE. They do not depend on how busy the machine is, as seconds do. The product
knows nothing of this.
"""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType

import supervisor_k8s
from supervisor_k8s.__main__ import main

ROOT = str(Path(supervisor_k8s.__file__).parent)
TOOL = sys.monitoring.PROFILER_ID
EVENTS = sys.monitoring.events


def count(target: Path) -> None:
    """From now on until the end of the process."""
    monitoring = sys.monitoring
    counts: Counter[CodeType] = Counter()

    def begins(code: CodeType, _offset: int) -> object:
        if not code.co_filename.startswith(ROOT):
            return monitoring.DISABLE
        if code not in counts:
            monitoring.set_local_events(TOOL, code, EVENTS.JUMP)
        counts[code] += 1
        return None

    def jumps(code: CodeType, _offset: int, _to: int) -> None:
        counts[code] += 1

    def tell(*_: object) -> None:
        found: Counter[str] = Counter()
        for code, number in counts.items():
            found[f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}"] += number
        new = target.with_suffix(".new")
        new.write_text(json.dumps(found))
        new.rename(target)

    monitoring.use_tool_id(TOOL, "counted")
    monitoring.register_callback(TOOL, EVENTS.PY_START, begins)
    monitoring.register_callback(TOOL, EVENTS.PY_RESUME, begins)
    monitoring.register_callback(TOOL, EVENTS.JUMP, jumps)
    monitoring.set_events(TOOL, EVENTS.PY_START | EVENTS.PY_RESUME)
    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    count(Path(os.environ["COUNTS"]))
    sys.exit(main())
