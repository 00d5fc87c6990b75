"""What a pass tells the user. Pure."""

from collections.abc import Sequence

from git_pull.changes import Changes
from git_pull.history import SHORT


def clash_text(changes: Changes, *, first: bool, branch: str = "") -> str:
    """`branch` has the user's changes."""
    listed = "; ".join(f"{path} ({why})" for path, why in sorted(changes.clashes.items()))
    option = "first_run to adopt" if first else "local_changes to theirs"
    merge = f"merge the branch {branch}, which has yours; or " if branch else ""
    return (
        f"Nothing was changed, because the disk and the repository differ: {listed}. To take the repository's files, "
        f"{merge}set the option {option}; copies of yours are kept. What is no file on the disk has to be moved away "
        "by hand"
    )


def bad_text(commit: str, trouble: str) -> str:
    return f"{commit[:SHORT]} is not live, because with it Home Assistant did not come up: {trouble}"


def invalid_text(commit: str, sentences: Sequence[str]) -> str:
    return f"{commit[:SHORT]} is not live, because Home Assistant would not take it:\n" + "\n".join(sentences)


def together(*parts: str | None) -> str | None:
    """Those that there are, each in lines of its own."""
    return "\n".join(part for part in parts if part) or None
