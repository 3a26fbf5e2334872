"""Active: reports of policy violations as browsers send them, and as nobody but an attacker does."""

import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.limits import chunked, declared
from verification.remote.sections import Parameters, on_request
from verification.remote.wire import SECONDS, answer, https

ONE, SEVERAL = "application/csp-report", "application/reports+json"


@on_request
def reports(parameters: Parameters) -> dict[str, Any]:
    """The status of each: both forms of one violation, the same once more with another query, and what no browser sends."""
    site, endpoint, mark, limit = (parameters[name] for name in ("site", "endpoint", "mark", "limit"))
    asked = f"https://{mark}.invalid/path-{mark}"
    texts = {
        "report-uri": post(endpoint, site, old(site, asked)),
        "report-to": post(endpoint, site, new(site, asked), SEVERAL),
        "with a query": post(endpoint, site, old(site, f"{asked}?query-{mark}#part-{mark}", query=f"?query-{mark}")),
        "of a page with a secret in its path": post(endpoint, site, old(site, "inline", path=f"/enrol/token-{mark}/")),
        "of a policy on trial": post(endpoint, site, old(site, asked, disposition="report")),
        "of another site's page": post(endpoint, site, old(f"{mark}.invalid", "eval")),
        "of another type": post(endpoint, site, old(site, asked), "application/json"),
        "that is cut off": post(endpoint, site, old(site, asked)[:-3]),
        "of the limit": post(endpoint, site, old(site, asked).ljust(limit)),
    }
    found: dict[str, Any] = {name: https(parameters, text)["status"] for name, text in texts.items()}
    for name, text in (
        ("one byte more", declared(endpoint, site, limit + 1)),
        ("one byte more, in chunks", chunked(endpoint, site, limit + 1)),
    ):
        given = https(parameters, text)
        found[name] = [given["status"], "/-/error.css" in given["body"]]
    return found


@on_request
def flood_of_reports(parameters: Parameters) -> dict[str, int]:
    """Forty at once from one address: how many of each status, and whether it was nginx that refused."""
    text = post(parameters["endpoint"], parameters["site"], old(parameters["site"], "inline"))
    with ThreadPoolExecutor(max_workers=40) as pool:
        given = [one.result() for one in [pool.submit(https, parameters, text) for _ in range(40)]]
    return dict(Counter(f"{one['status']}{' of nginx' if '/-/error.css' in one['body'] else ''}" for one in given))


@on_request
def reports_over_the_socket(parameters: Parameters) -> dict[str, int]:
    """As many as are asked for from one address, past nginx, each of a kind of its own: how many of each status."""
    site, mark = parameters["site"], parameters["mark"]
    made = (
        old(site, f"https://{mark}-{number}.invalid/") for number in range(parameters["first"], parameters["first"] + parameters["many"])
    )
    return dict(Counter(str(_over_the_socket(parameters, post(parameters["endpoint"], site, body))) for body in made))


def old(site: str, blocked: str, *, path: str = "/sign-in/", query: str = "", disposition: str = "enforce") -> str:
    """As a browser tells it that knows report-uri."""
    told = {"document-uri": f"https://{site}{path}{query}", "effective-directive": "img-src", "blocked-uri": blocked}
    return json.dumps({"csp-report": {**told, "disposition": disposition}})


def new(site: str, blocked: str) -> str:
    """As one tells it that knows report-to."""
    told = {"documentURL": f"https://{site}/sign-in/", "effectiveDirective": "img-src", "blockedURL": blocked, "disposition": "enforce"}
    return json.dumps([{"type": "csp-violation", "age": 0, "url": f"https://{site}/sign-in/", "body": told}])


def post(endpoint: str, site: str, body: str, content_type: str = ONE) -> str:
    length = f"Content-Length: {len(body.encode())}\r\nContent-Type: {content_type}\r\n"
    return f"POST {endpoint} HTTP/1.1\r\nHost: {site}\r\n{length}Connection: close\r\n\r\n{body}"


def _over_the_socket(parameters: Parameters, text: str) -> int:
    line, _, rest = text.partition("\r\n")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(parameters["socket"])
        whole = f"{line}\r\nX-Real-IP: {parameters['from']}\r\nX-Forwarded-Proto: https\r\n{rest}"
        status: int = answer(connection, whole)["status"]
        return status
