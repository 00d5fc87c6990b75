"""The Git pull add-on follows a repository that only a key of ssh opens: OpenSSH's server, a submodule, and LFS."""

import secrets
from collections.abc import AsyncIterator, Mapping

import pytest

from .git_house import LIVE, SLUG, House
from .house import Kubectl, Supervisor, becomes

HOST = "git-server.git-server.svc.cluster.local"
FOLDER = "e2e_ssh"
PRIVATE, KEY = "/srv/private", "/tmp/e2e-ssh"
MAKE = f"""
rm -rf {PRIVATE}/* {KEY}*
ssh-keygen -q -t ed25519 -N '' -f {KEY}
install -o git -g git -m 600 {KEY}.pub /home/git/.ssh/authorized_keys
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
for name in house themes; do git init -q -b main {PRIVATE}/$name; done
cd {PRIVATE}/themes
echo 'dark: {{}}' > dark.txt
git add . && git commit -qm themes
themes=$(git rev-parse HEAD)
cd {PRIVATE}/house
mkdir {FOLDER}
head -c 300000 /dev/urandom > /tmp/film
oid=$(sha256sum /tmp/film | cut -d' ' -f1)
mv /tmp/film /srv/lfs/$oid
printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize 300000\\n' $oid > {FOLDER}/film.mp4
echo '*.mp4 filter=lfs diff=lfs merge=lfs -text' > {FOLDER}/.gitattributes
printf '[submodule "themes"]\\n\\tpath = {FOLDER}/themes\\n\\turl = ../themes\\n' > .gitmodules
git add . && git update-index --add --cacheinfo 160000,$themes,{FOLDER}/themes && git commit -qm house
"""
"""Two repositories that nothing but ssh serves, the key that opens them, and a content that LFS has."""

pytestmark = pytest.mark.timeout(300)


class Forge:
    """The cluster's git server, of which only the part behind ssh is used."""

    def __init__(self) -> None:
        self._server = Kubectl("git-server")

    async def run(self, script: str) -> str:
        return await self._server.run("exec", "deployment/git-server", "--", "sh", "-ec", script)

    async def options(self) -> Mapping[str, object]:
        """What leads there; the key of the server is not among it."""
        key = (await self.run(f"cat {KEY}")).splitlines()
        return {"repository": f"git@{HOST}:{PRIVATE}/house", "git_branch": "main", "deployment_key": key}

    async def known(self) -> str:
        """Its line of `known_hosts`."""
        return f"{HOST} {(await self.run('cut -d" " -f1,2 /etc/ssh/ssh_host_ed25519_key.pub')).strip()}"


@pytest.fixture
async def forge(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[Forge]:
    """The add-on is installed; afterwards nothing of it is left."""
    forge, house = Forge(), House(kubectl)
    await forge.run(MAKE)
    assert (await supervisor.post(f"/store/addons/{SLUG}/install")).status == 200
    yield forge
    await supervisor.post(f"/addons/{SLUG}/uninstall")
    await house.live(f"rm -rf {LIVE}/{FOLDER} {LIVE}/.gitmodules {LIVE}/.git_pull")
    await forge.run(f"rm -rf {PRIVATE}/* {KEY}* /srv/lfs/* /home/git/.ssh/authorized_keys")


async def test_by_ssh(forge: Forge, kubectl: Kubectl, supervisor: Supervisor) -> None:
    """A server that nobody named is not trusted; once it is, all is live that the commit points to, by one key. The key
    is in no log.
    """
    options = (await supervisor.get(f"/addons/{SLUG}/info")).data["options"] | await forge.options()
    options |= {"submodules": True, "restart_ignore": [FOLDER], "webhook_secret": secrets.token_hex(8)}

    async def says(word: str, known: list[str]) -> str:
        body = {**options, "known_hosts": known}
        assert (await supervisor.post(f"/addons/{SLUG}/options", options=body)).status == 200
        assert (await supervisor.post(f"/addons/{SLUG}/restart")).status == 200

        async def log() -> str:
            said: str = (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]
            return said if word in said else ""

        return await becomes(log, what=f"{word} in the add-on's log", within=120)

    house = House(kubectl)
    assert "Host key verification failed" in await says("failed: ", [])
    assert await house.file(f"{FOLDER}/themes/dark.txt") == ""
    said = await says("live: ", [await forge.known()])
    assert options["deployment_key"][2] not in said
    assert await house.file(f"{FOLDER}/themes/dark.txt") == "dark: {}\n"
    (film, *_) = (await house.live(f"sha256sum {LIVE}/{FOLDER}/film.mp4")).split()
    assert film == (await forge.run("ls /srv/lfs")).strip()
