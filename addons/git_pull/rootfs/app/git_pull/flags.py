"""The options of the stand-alone mode: flags, and variables of the environment. Names, defaults and meaning of most are
those of k8s-ha-git-sync. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from git_pull.errors import OptionsError

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """`variables`: the first one that is set counts. A `switch` needs no value; a `secret` is for no other eyes."""

    variables: tuple[str, ...]
    default: str = ""
    switch: bool = False
    secret: bool = False


FLAGS: Mapping[str, Flag] = {
    "--interval": Flag(variables=("INTERVAL",), default="60"),
    "--ha-config-path": Flag(variables=("CONFIG_PATH",), default="/homeassistant"),
    "--ha-url": Flag(variables=("HA_URL",), default="http://homeassistant:8123"),
    "--ha-token": Flag(variables=("HA_TOKEN",), secret=True),
    "--ha-token-file": Flag(variables=("HA_TOKEN_FILE",)),
    "--git-ssh-key-path": Flag(variables=("GIT_SSH_KEY_PATH",)),
    "--git-token": Flag(variables=("GIT_TOKEN",), secret=True),
    "--git-token-file": Flag(variables=("GIT_TOKEN_FILE",)),
    # The second one is how the documentation of k8s-ha-git-sync spells it.
    "--kube-namespace": Flag(variables=("KUBE_NAMESPACE", "KUBE_NAMEPSACE"), default="homeassistant"),
    "--kube-deployment": Flag(variables=("KUBE_DEPLOYMENT",), default="homeassistant"),
    "--metrics": Flag(variables=("METRICS",), default="false", switch=True),
    "--metrics-port": Flag(variables=("METRICS_PORT",), default="8080"),
    # Ours.
    "--allowed-signers-path": Flag(variables=("ALLOWED_SIGNERS_PATH",)),
    "--auto-reload": Flag(variables=("AUTO_RELOAD",), default="true", switch=True),
    "--auto-restart": Flag(variables=("AUTO_RESTART",), default="true", switch=True),
    "--certificate-authority-path": Flag(variables=("CERTIFICATE_AUTHORITY_PATH",)),
    "--data-path": Flag(variables=("DATA_PATH",), default="/data"),
    "--first-run": Flag(variables=("FIRST_RUN",), default="refuse"),
    "--forge": Flag(variables=("FORGE",), default="auto"),
    "--git-branch": Flag(variables=("GIT_BRANCH",)),
    "--git-command": Flag(variables=("GIT_COMMAND",), default="pull"),
    "--git-depth": Flag(variables=("GIT_DEPTH",), default="0"),
    "--git-user": Flag(variables=("GIT_USER",), default="git"),
    "--gpg-keys-path": Flag(variables=("GPG_KEYS_PATH",)),
    "--known-hosts-path": Flag(variables=("KNOWN_HOSTS_PATH",)),
    "--kube-statefulset": Flag(variables=("KUBE_STATEFULSET",)),
    "--local-branch": Flag(variables=("LOCAL_BRANCH",), default="home-assistant"),
    "--local-changes": Flag(variables=("LOCAL_CHANGES",), default="stop"),
    "--repository": Flag(variables=("REPOSITORY",)),
    "--restart-ignore": Flag(variables=("RESTART_IGNORE",), default="ui-lovelace.yaml,.gitignore"),
    "--status-token-file": Flag(variables=("STATUS_TOKEN_FILE",)),
    "--submodules": Flag(variables=("SUBMODULES",), default="false", switch=True),
}

FILES: Mapping[str, str] = {
    "--git-ssh-key-path": "deployment_key",
    "--known-hosts-path": "known_hosts",
    "--certificate-authority-path": "certificate_authority",
    "--allowed-signers-path": "allowed_signers",
    "--gpg-keys-path": "gpg_keys",
}
"""Flags that name a file, and the options of the add-on that have its lines."""

type Given = Mapping[str, str]
"""Values by the names of flags."""


def parse(arguments: Sequence[str]) -> Given:
    """`--name value`, `--name=value`, `--switch`. OptionsError, which tells no value: it may be a secret."""
    given: dict[str, str] = {}
    left = list(arguments)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name not in FLAGS:
            raise OptionsError(f"There is no option {name}" if name.startswith("--") else "Options begin with --")
        if not equals and not FLAGS[name].switch:
            if not left:
                raise OptionsError(f"The option {name} needs a value")
            value = left.pop(0)
        given[name] = value if equals or not FLAGS[name].switch else "true"
    return given


def of_environment(environment: Mapping[str, str]) -> Given:
    """What is set and not empty."""
    found = {
        name: next((environment[v] for v in flag.variables if environment.get(v)), "") for name, flag in FLAGS.items()
    }
    return {name: value for name, value in found.items() if value}


def secrets(given: Given) -> Given:
    return {name: value for name, value in given.items() if FLAGS[name].secret}


def arguments(given: Given) -> list[str]:
    """As `parse` takes them, without what is secret."""
    return [f"{name}={value}" for name, value in given.items() if not FLAGS[name].secret]


@dataclass(frozen=True, slots=True)
class Flags:
    """Every option's value."""

    given: Given

    def text(self, name: str) -> str:
        return self.given.get(name, FLAGS[name].default)

    def switch(self, name: str) -> bool:
        """OptionsError."""
        value = self.text(name).lower()
        if value not in (*_TRUE, *_FALSE):
            raise OptionsError(f"The option {name} must be true or false")
        return value in _TRUE

    def number(self, name: str) -> int:
        """OptionsError."""
        value = self.text(name)
        if not (value.isascii() and value.isdecimal()):
            raise OptionsError(f"The option {name} must be a whole number")
        return int(value)

    def as_options(
        self, *, url: str, branch: str, password: str, status_token: str, texts: Mapping[str, str]
    ) -> dict[str, Any]:
        """As `Options.read` takes them; `texts` are those of files, by the options that name them."""
        interval = self.number("--interval")
        return {
            "repository": self.text("--repository") or url,
            "git_branch": self.text("--git-branch") or branch,
            "git_depth": self.number("--git-depth"),
            "git_command": self.text("--git-command"),
            "submodules": self.switch("--submodules"),
            "first_run": self.text("--first-run"),
            "local_changes": self.text("--local-changes"),
            "local_branch": self.text("--local-branch"),
            "auto_reload": self.switch("--auto-reload"),
            "auto_restart": self.switch("--auto-restart"),
            "restart_ignore": [name for name in self.text("--restart-ignore").split(",") if name.strip()],
            "repeat": {"active": interval > 0, "interval": interval},
            "deployment_user": self.text("--git-user") if password else "",
            "deployment_password": password,
            "status_token": status_token,
            "forge": self.text("--forge"),
            **{name: texts[flag].splitlines() for flag, name in FILES.items()},
        }
