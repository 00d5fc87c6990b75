"""Whether a commit is signed by somebody whom the user trusts: git's own verification, with the user's keys alone.

Git looks at the signature that a commit has: with ssh it asks ssh-keygen, which trusts the lines of the user's list;
with OpenPGP it asks gpg, which finds a key ring with the user's keys and no other. Other kinds are nobody's.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from git_pull.errors import GitError, OptionsError, SignatureError
from git_pull.git import Git, With, end
from git_pull.options import Signers

_IMPORT = 60.0
"""Seconds."""
SHORT = 10
"""Digits of a commit that are shown."""


async def verify(git: Git, commit: str, name: str, signers: Signers) -> None:
    """`name` may be a tag of the commit: its signature does as well. SignatureError, OptionsError for keys that gpg
    does not know.
    """
    async with _keys(signers) as keys:
        try:
            await git.run("verify-commit", commit, also=keys)
        except GitError as error:
            if not await _is_tagged(git, commit, name, keys):
                raise SignatureError(f"{commit[:SHORT]} is not signed with a key that you trust: {error}") from error


async def _is_tagged(git: Git, commit: str, name: str, keys: With) -> bool:
    """By an annotated tag of this very commit that is signed well."""
    try:
        if await git.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") != commit:
            return False
        await git.run("verify-tag", await git.ask("rev-parse", "--verify", name), also=keys)
    except GitError:
        return False
    return True


@asynccontextmanager
async def _keys(signers: Signers) -> AsyncIterator[With]:
    """Files for the time of one verification."""
    with tempfile.TemporaryDirectory(prefix="git-pull-") as place:
        folder = Path(place)
        ssh, ring = folder / "allowed_signers", folder / "gpg"
        ssh.write_text("".join(f"{line}\n" for line in signers.ssh))
        ring.mkdir(mode=0o700)
        # The ring has trusted keys only, so how much each of them is trusted is no question.
        (ring / "gpg.conf").write_text("trust-model always\nno-auto-key-retrieve\nno-autostart\n")
        if signers.gpg:
            await _import(ring, signers.gpg)
        settings = {
            "gpg.ssh.allowedSignersFile": str(ssh),
            "gpg.ssh.program": "ssh-keygen",
            "gpg.program": "gpg",
            "gpg.x509.program": "false",
            "gpg.minTrustLevel": "undefined",
        }
        yield With(settings, {"GNUPGHOME": str(ring)})


async def _import(ring: Path, keys: str) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GNUPGHOME": str(ring), "LC_ALL": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        "gpg", "--batch", "--quiet", "--no-tty", "--import", env=environment, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_IMPORT):
            _, said = await process.communicate(keys.encode())
    except TimeoutError as error:
        raise GitError(f"gpg took longer than {_IMPORT:.0f} s for the keys of the option gpg_keys") from error
    finally:
        await end(process)
    if process.returncode:
        raise OptionsError(f"The keys of the option gpg_keys are none: {said.decode(errors='replace').strip()}")
