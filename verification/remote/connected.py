"""Inside, active: what becomes of people's requests when the database drops the connections that the application keeps."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.sections import Parameters, on_request, output

APPLICATION = "/run/casemate/gunicorn.sock"
AT_ONCE = 12  # so that many threads have a connection, not only the one that is first each time
LONGEST = 2.0  # seconds until a connection that was dropped is gone
KEPT = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'casemate_app' AND COMMAND = 'Sleep';"
MADE = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'CONNECTIONS';"


@on_request
def dropped_connections(parameters: Parameters) -> dict[str, Any]:
    """Three rounds of requests that each ask the database: before the drop, right after it, and once more with what is kept by then."""
    site, requests = parameters["site_name"], range(parameters["requests"])
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        before = list(pool.map(lambda _: status(site), requests))
        dropped = kept()
        drop(dropped)
        left = gone_or_left(dropped)
        after = list(pool.map(lambda _: status(site), requests))
    then, made_then = kept(), made()
    later = [status(site) for _ in requests]
    made_later = made() - 1  # this question's own
    return {
        "before": sorted(set(before)),
        "after": sorted(set(after)),
        "later": sorted(set(later)),
        "dropped": len(dropped),
        "left": len(left),
        "kept": len(then & kept()),
        "made": made_later - made_then,
    }


def status(site: str) -> int:
    """Of the address that asks the database one thing and says whether it answered."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(APPLICATION)
        lines = ["GET /healthz HTTP/1.1", f"Host: {site}", "X-Real-IP: 127.0.0.8", "X-Forwarded-Proto: https", "Connection: close"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/") else 0


def kept() -> set[int]:
    """The connections of the application's account that wait for the next request."""
    return {int(line) for line in output("mariadb", "-N", "-B", stdin=KEPT).split()}


def made() -> int:
    """How many connections the server was asked for since it began, by anybody."""
    return int(output("mariadb", "-N", "-B", stdin=MADE))


def drop(connections: set[int]) -> None:
    # One that ended by itself meanwhile is an error that stops nothing.
    output("mariadb", "--force", stdin="".join(f"KILL CONNECTION {number};\n" for number in sorted(connections)), ok=(0, 1))


def gone_or_left(dropped: set[int]) -> set[int]:
    """Those that stand although they were dropped."""
    until = time.monotonic() + LONGEST
    while (left := dropped & kept()) and time.monotonic() < until:
        time.sleep(0.05)
    return left
