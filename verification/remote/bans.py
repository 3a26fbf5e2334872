"""Outside, active: somebody who guesses, and who notices from when on nobody answers any more."""

import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.sections import Parameters, on_request
from verification.remote.visit import send
from verification.remote.wire import https, request

SILENCE = 1.0  # seconds without an answer: the firewall drops what it refuses, and a data centre's round trips take milliseconds
PATIENCE = 15.0


@on_request
def own_addresses(parameters: Parameters) -> list[str]:
    """Our addresses, as the site sees them."""
    return [source for address in parameters["addresses"] if (source := _source_towards(address))]


@on_request
def doors(parameters: Parameters) -> dict[str, bool]:
    """Which doors open: a connection by TCP to each address and port, all at once."""
    wanted = [(address, port) for address in parameters["addresses"] for port in parameters["ports"]]
    with ThreadPoolExecutor(max(1, len(wanted))) as knocking:
        opened = list(knocking.map(lambda door: _opens(*door), wanted))
    return {f"[{address}]:{port}": opens for (address, port), opens in zip(wanted, opened, strict=True)}


@on_request
def wrong_sign_ins(parameters: Parameters) -> dict[str, Any]:
    """Guesses a password so many times, then knocks until nobody answers: the answers, and how long after the last guess it was."""
    site, answers = parameters["site"], []
    for number in range(parameters["guesses"]):
        page = https(parameters, request("GET", "/sign-in/", site))
        fields = f"email=nobody{number}%40casemate.invalid&password=a-wrong-guess"
        answers.append(send(parameters, "/sign-in/", page, fields)["status"])
    return {"answers": answers, "shut_out_after": _silence(parameters["address"], 443) if parameters["knock"] else None}


@on_request
def ssh_guesses(parameters: Parameters) -> dict[str, Any]:
    """Knocks at SSH as nobody, until nobody answers or it was often enough."""
    address = parameters["address"]
    ssh = shutil.which("ssh")
    if ssh is None:
        raise RuntimeError("there is no ssh here to guess with")
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", f"ConnectTimeout={SILENCE:.0f}"]
    argv = [ssh, *(part for option in options for part in ("-o", option)), f"nobody@{address}", "true"]
    said = []
    for _guess in range(parameters["guesses"]):
        try:
            ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=6 * SILENCE, stdin=subprocess.DEVNULL)
            # sshd denies, or closes at once on an address that it has penalised; the firewall says nothing at all.
            refused = any(words in ran.stderr for words in ("Permission denied", "kex_exchange_identification"))
            said.append("refused" if refused else "no answer")
        except subprocess.TimeoutExpired:
            said.append("no answer")
        if said[-1] == "no answer":
            break
    return {"answers": said, "shut_out_after": _silence(address, 443)}


def _source_towards(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect((address, 9))  # no packet leaves for it
        except OSError:
            return ""
        return re.sub("%.*", "", unsent.getsockname()[0])


def _opens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=SILENCE).close()
    except OSError:
        return False
    return True


def _silence(address: str, port: int) -> float | None:
    """Seconds until the first connection that got no answer was begun; nothing where all were answered."""
    began = time.monotonic()
    while (now := time.monotonic()) - began < PATIENCE:
        if not _opens(address, port):
            return round(now - began, 2)
        time.sleep(0.05)
    return None
