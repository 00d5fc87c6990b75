"""What git itself keeps in a work tree that somebody else set up: from where it was fetched. Pure."""

from configparser import Error, RawConfigParser

_HEADS = "refs/heads/"


def origin(config: str, head: str) -> tuple[str, str]:
    """Address and branch, from the texts of `.git/config` and `.git/HEAD`; empty: not known.

    It is the remote that the branch follows, else `origin`, else the first one.
    """
    parser = RawConfigParser(strict=False, allow_no_value=True, delimiters=("=",), comment_prefixes=("#", ";"))
    try:
        parser.read_string(config)
    except Error:
        return "", ""
    local = head.strip().removeprefix("ref: ").removeprefix(_HEADS) if head.startswith(f"ref: {_HEADS}") else ""
    followed = f'branch "{local}"'
    remotes = [section for section in parser.sections() if section.startswith('remote "')]
    wanted = (f'remote "{parser.get(followed, "remote", fallback="origin")}"', 'remote "origin"', *remotes)
    remote = next((section for section in wanted if section in remotes), "")
    branch = parser.get(followed, "merge", fallback=local) or local
    return parser.get(remote, "url", fallback="") or "", branch.removeprefix(_HEADS)
