"""What is mounted below a directory of ours."""

from pathlib import Path

from .steps import Step


def mount_points(directory: Path) -> list[Path]:
    """Mount points below it, the newest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [Path(point.encode().decode("unicode_escape")) for point in points]
    return [point for point in reversed(found) if directory in point.parents]


def unmount(step: Step, *, below: Path) -> int:
    """Unmount all of them, now for whoever looks and later for whoever still uses one; how many there were."""
    found = mount_points(below)
    for point in found:
        step.run(["umount", "-l", point])
    return len(found)
