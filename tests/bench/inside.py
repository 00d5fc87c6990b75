"""Runs as a process of its own, inside the network of another process on this machine: when does that one listen, when
does it answer?

    python -m tests.bench.inside PID PORT      says two moments, in seconds since the machine's start
"""

import os
import sys
import time

from tests.bench.process import _until_listening, _until_right


def main(pid: str, port: str) -> None:
    with open(f"/proc/{pid}/ns/net") as network:  # noqa: PTH123 - its number is wanted, not its content
        os.setns(network.fileno(), os.CLONE_NEWNET)
    moments = []
    for wait in (_until_listening, _until_right):
        wait(int(port))
        moments.append(time.clock_gettime(time.CLOCK_BOOTTIME))
    print(*moments)


if __name__ == "__main__":
    main(*sys.argv[1:])
