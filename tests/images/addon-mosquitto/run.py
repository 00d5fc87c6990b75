#!/usr/bin/env python3
"""Runs the broker as its options ask for, and tells the Supervisor where it is once it answers.

Two users always exist, with random passwords that outlive restarts: `homeassistant` is handed to Core by
discovery, `addons` to other add-ons by the mqtt service.
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DATA = Path("/data")
SSL = Path("/ssl")
SHARE = Path("/share")
CONFIGURATION = Path("/etc/mosquitto/mosquitto.conf")
PASSWORDS = Path("/etc/mosquitto/passwords")
LOGINS = Path("/home_assistant_logins.so")
"""Plugin: who is not in the password file may be a user of Home Assistant."""
SYSTEM_USERS = ("homeassistant", "addons")
PORT = 1883
LOG_TYPES = ("error", "warning", "notice", "information")
ITERATIONS = 101
"""mosquitto's own default."""
START_LIMIT = 30.0
"""Seconds the broker may take to answer."""


def main() -> int:
    options = json.loads((DATA / "options.json").read_text())
    users = system_users()
    write_passwords(options, users)
    CONFIGURATION.write_text("\n".join(configuration(options)) + "\n")
    broker = subprocess.Popen(["mosquitto", "-c", str(CONFIGURATION)])
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        stopping.append(number)
        broker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if answers(broker):
        announce(users)
    code = broker.wait()
    return 0 if stopping else code or 1


def system_users() -> dict[str, dict[str, str]]:
    """The two users of the system, made at the first start."""
    store = DATA / "system_user.json"
    users: dict[str, dict[str, str]] = json.loads(store.read_text()) if store.exists() else {}
    missing = [name for name in SYSTEM_USERS if not users.get(name, {}).get("password")]
    for name in missing:
        users[name] = {"password": secrets.token_urlsafe(48)}
    if missing:
        new = store.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(users))
        new.rename(store)
    return users


def write_passwords(options: dict[str, Any], users: dict[str, dict[str, str]]) -> None:
    """Everyone who may log in, with hashed passwords."""
    logins = options.get("logins", [])
    taken = [login["username"] for login in logins if login["username"] in SYSTEM_USERS]
    if taken:
        sys.exit(f"the login {taken[0]!r} is reserved for the system: choose another name")
    lines = [f"{name}:{hashed(user['password'])}" for name, user in users.items()]
    for login in logins:
        password = login["password"] if login.get("password_pre_hashed") else hashed(login["password"])
        lines.append(f"{login['username']}:{password}")
    PASSWORDS.unlink(missing_ok=True)
    PASSWORDS.touch(mode=0o600)
    PASSWORDS.write_text("\n".join(lines) + "\n")


def hashed(password: str) -> str:
    """As mosquitto_passwd hashes; that tool itself cuts a password at its first colon."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${ITERATIONS}${'$'.join(parts)}"


def configuration(options: dict[str, Any]) -> list[str]:
    """mosquitto.conf, line by line."""
    result = ["user root", "allow_anonymous false", f"password_file {PASSWORDS}"]
    result += [f"plugin {LOGINS}", f"plugin_opt_passwords {PASSWORDS}"]
    result += ["persistence true", f"persistence_location {DATA}/"]
    result += [f"log_dest {destination}" for destination in options.get("log_dest") or ["stdout"]]
    kinds = ["all"] if options.get("debug") else options.get("log_type") or LOG_TYPES
    result += [f"log_type {kind}" for kind in kinds]
    result += [f"listener {PORT}", "listener 1884", "protocol websockets"]
    certificate, key = SSL / options["certfile"], SSL / options["keyfile"]
    if certificate.exists() and key.exists():
        authority = SSL / options.get("cafile", options["certfile"])
        tls = [f"cafile {authority if authority.exists() else certificate}"]
        tls += [f"certfile {certificate}", f"keyfile {key}"]
        tls.append(f"require_certificate {str(options['require_certificate']).lower()}")
        result += ["listener 8883", *tls, "listener 8884", "protocol websockets", *tls]
    else:
        print("no certificate in /ssl: the encrypted ports stay closed", flush=True)
    if options["customize"]["active"]:
        result.append(f"include_dir {SHARE / options['customize']['folder']}")
    return result


def answers(broker: subprocess.Popen[bytes]) -> bool:
    """Wait until the port takes connections; False when the broker ends or never does."""
    deadline = time.monotonic() + START_LIMIT
    while broker.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def announce(users: dict[str, dict[str, str]]) -> None:
    """Register the service and the discovery message; a leftover of an unclean end would refuse the first."""
    address = {"host": socket.gethostname(), "port": PORT, "ssl": False, "protocol": "3.1.1"}
    service = address | {"username": "addons", "password": users["addons"]["password"]}
    found = address | {"username": "homeassistant", "password": users["homeassistant"]["password"]}
    try:
        call("DELETE", "/services/mqtt")
        for path, body in (
            ("/services/mqtt", service),
            ("/discovery", {"service": "mqtt", "config": found}),
        ):
            answer = call("POST", path, body)
            print(f"POST {path}: {answer}", flush=True)
    except OSError as error:
        print(f"the Supervisor does not answer, so nobody knows of this broker: {error}", file=sys.stderr, flush=True)


def call(method: str, path: str, body: dict[str, Any] | None = None) -> str:
    """One request to the Supervisor; "ok", or what it said instead."""
    connection = http.client.HTTPConnection("supervisor", timeout=10)
    headers = {"Authorization": f"Bearer {os.environ.get('SUPERVISOR_TOKEN', '')}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return "ok" if response.status == http.client.OK else f"{response.status} {text[:200]}"


if __name__ == "__main__":
    sys.exit(main())
