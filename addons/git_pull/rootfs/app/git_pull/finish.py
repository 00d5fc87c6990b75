"""A program that ends a switch which its process could not end, before Home Assistant reads the configuration:
`python3 -m git_pull.finish <folder of the configuration>`. The exit code is 1 when it cannot, with a sentence in the
output.

It needs nothing but Python and does what the add-on's own start does first. That start is still told of the switch, for
what it decided stays in its folder.
"""

import sys
from pathlib import Path

from git_pull.errors import GitPullError
from git_pull.switch import Switch
from git_pull.tree import named


def main() -> int:
    (folder,) = sys.argv[1:]
    switch = Switch(Path(folder))
    try:
        switch.take_back()
        plan = switch.finish()
    except (GitPullError, OSError) as error:
        print(error)  # noqa: T201 - whoever started it reads this
        return 1
    if plan is not None:
        done = "taken back" if plan.back else "carried out"
        print(f"A switch to {plan.commit} that was not ended is {done}: {named(plan.paths)}")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
