"""What nobody thought of: schemathesis asks every route of a house that is thrown away, and reads the answers.

The house is the contract tier's: our whole program on a real port, doubles for the cluster and Core only. What is asked
follows our own description, and what does not. Other than in the contract tier it is not somebody's idea of a request.
"""

import asyncio
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.model.desired.config_check import NAME as CHECK
from supervisor_k8s.remote.certificates import make_keys, utc_now
from tests.contract.house import CLI_TOKEN, STORE, Home, git_server, make_repository
from tests.described import document
from tests.fakes import Behaviour

LONGEST = 45
"""Seconds for the longest of the runs. schemathesis uses up what it is given: half of it for made up cases."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
"""Not whether more is let through than is described: voluptuous makes booleans and numbers of texts, as upstream."""
LEFT_OUT = r"/follow$|/api/stream$|^/supervisor/restart$"
"""Answers without an end, and what ends the house itself."""
KNOWN = {
    "app": ["core_mosquitto", "core_panel", "core_elsewhere", "self", "core_nobody"],
    "repository": ["core", "local", "nobody"],
    "service": ["mqtt", "mysql", "nothing"],
    "bootid": ["0", "-1", "7", "abc"],
    "check": ["free_space", "nothing"],
}
"""What is there in the house, and what is not: made up names would nearly all be unknown, and what is behind them never
seen.
"""
TAGS = {"2026.10.3", "2026.11.0", "test", *(addon["version"] for addon in STORE.values())}
"""What the registry has. A made up tag may read as a Core from before the Unix socket, which never lets us in: who
starts it waits for as long as a start may take.
"""
VERSIONS = ["2026.10.3", "2026.11.0", "1"]
"""Of Core and of ourselves; the last one nobody made."""
CHECKED = '{"errors": {}, "warnings": {}, "components": []}'
"""What Core's checker says."""


class Registry(dict[str, Behaviour]):
    """Images as a registry has them: no tag that nobody made."""

    def get(self, image: str, default: Any = None) -> Any:
        made = image.rpartition(":")[2] in TAGS
        return super().get(image, default) if made else Behaviour(pull_error="manifest unknown")


def directed(address: str) -> dict[str, Any]:
    """Our description, with the names that this house knows."""
    found: dict[str, Any] = json.loads(json.dumps(document()))
    found["servers"] = [{"url": address}]
    for methods in found["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in KNOWN:
                    parameter["schema"] = {"type": "string", "enum": KNOWN[parameter["name"]]}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if "version" in body.get("properties", {}):
                body["properties"]["version"] = {"type": "string", "enum": VERSIONS}
    return found


@dataclass(frozen=True)
class Caller:
    """Who asks, and what: paths that fit the pattern, for so many seconds, with so many made up cases of each."""

    token: str
    paths: str
    seconds: int
    cases: int


async def schemathesis(folder: Path, address: str, caller: Caller) -> tuple[int, str]:
    """Exit code and report of a run."""
    (folder / "openapi.json").write_text(json.dumps(directed(address)))
    arguments = (
        *("run", "openapi.json", "--url", address, "--include-path-regex", caller.paths),
        *("--exclude-path-regex", LEFT_OUT, "--checks", CHECKS),
        *("--header", f"X-Supervisor-Token: {caller.token}", "--header", f"X-HA-Access: {caller.token}"),
        *("--phases", "coverage,fuzzing", "--max-examples", str(caller.cases), "--max-time", str(caller.seconds)),
        *("--generation-deterministic", "--continue-on-failure", "--warnings", "off"),
        *("--request-timeout", "30"),
    )
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.timeout(300)
async def test_every_route_answers_as_described(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is asked: a status and a content type that are described, data of the described shape, no error that is
    ours, and no token in the log. The house is up to the end, and lets itself be restarted.
    """
    make_repository(tmp_path / "git" / "core", STORE, "Core")
    with git_server(tmp_path / "git") as address:
        async with Home(tmp_path / "home", address, make_keys(utc_now())).living() as home:
            assert (await home.raw("POST", "/store/reload")).status == 200
            home.cluster.behaviours = Registry()
            home.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0, says=(CHECKED,))
            await home.install("core_mosquitto", start=True)
            await home.install("core_panel", start=True)
            callers = (
                Caller(home.addon_token("core_mosquitto"), r"^/(auth|services|discovery)|/self/options/config", 8, 20),
                Caller(home.addon_token("core_panel"), r"^/core/api|^/services", 6, 10),
                Caller(home.core_token, r"^/(discovery|ingress/.*session)", 6, 20),
                Caller(CLI_TOKEN, r"^/", LONGEST, 6),
            )
            for caller in callers:
                code, report = await schemathesis(tmp_path, home.url, caller)
                assert code == 0, report
            assert (await home.raw("POST", "/supervisor/restart", token=CLI_TOKEN)).status == 200
    assert [caller for caller in callers if caller.token in caplog.text] == []
    assert [entry for entry in caplog.records if entry.levelno >= logging.ERROR and entry.exc_info] == []
