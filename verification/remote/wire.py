"""Outside: HTTP as bytes on the wire, so that a header that came twice is seen twice."""

import re
import socket
import ssl
from typing import Any

from verification.remote.sections import Parameters, section

SECONDS = 10.0
BROWSER = "Accept: text/html,application/xhtml+xml\r\nUser-Agent: casemate-verify\r\n"


@section
def answers(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """One answer of each kind that this site can give: the application's, nginx's own files and nginx's own refusals."""
    site, path = parameters["site"], parameters["page"]
    page = https(parameters, request("GET", path, site))
    static = re.search(r"(?:href|src)=\"(/static/[^\"]+\.css)\"", page["body"])
    post = "email=nobody%40example.com&username=nobody&password=none"
    kinds = {
        "redirect": request("GET", "/", site),
        "static file": request("GET", static[1] if static else "/static/no-link-in-the-page", site),
        "404 of the application": request("GET", "/no-such-page/", site),
        "403 of the application": request("POST", path, site, body=post),
        "400 of nginx": request("GET", "/%zz", site),
        "404 of nginx": request("GET", "/static/no-such-file", site),
        "405 of nginx": request("TRACE", "/", site),
        "413 of nginx": f"POST {path} HTTP/1.1\r\nHost: {site}\r\nContent-Length: 10737418240\r\n\r\n",
        "health, from outside": request("GET", "/healthz", site),
        "a hidden file": request("GET", "/.git/config", site),
        "out of the static folder": request("GET", "/static/../manifest.json", site),
        "encoded, out of the static folder": request("GET", "/static/%2e%2e/manifest.json", site),
        "page again": request("GET", path, site),
    }
    return {"page": page, **{kind: https(parameters, text) for kind, text in kinds.items()}}


@section
def strangers(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """Requests that name no host of ours, and plain HTTP."""
    site, other = parameters["site"], "attacker.example"
    return {
        "plain HTTP": plain(parameters, request("GET", "/x?y=1", site)),
        "plain HTTP that says it is https": plain(parameters, request("GET", "/", site, "X-Forwarded-Proto: https\r\n")),
        "plain HTTP, unknown host": plain(parameters, request("GET", "/", other)),
        "TLS, unknown name": https(parameters, request("GET", "/", other), name=other),
        "TLS, no name": https(parameters, request("GET", "/", other), name=None),
        "TLS, our name, unknown host": https(parameters, request("GET", "/", other)),
    }


def request(method: str, path: str, host: str, headers: str = "", body: str = "") -> str:
    if body:
        headers += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{BROWSER}{headers}Connection: close\r\n\r\n{body}"


def plain(parameters: Parameters, text: str) -> dict[str, Any]:
    try:
        with socket.create_connection((parameters["address"], 80), timeout=SECONDS) as connection:
            return answer(connection, text)
    except OSError as error:
        return refusal(error)


def https(parameters: Parameters, text: str, name: str | None = "") -> dict[str, Any]:
    """Sends over TLS. The certificate is verified where our own name is asked for; another check looks at it closely."""
    context = ssl.create_default_context(cadata=parameters["ca"] or None)
    if name != "":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parameters["address"], 443), timeout=SECONDS) as raw,
            context.wrap_socket(raw, server_hostname=parameters["site"] if name == "" else name) as connection,
        ):
            return answer(connection, text)
    except OSError as error:
        return refusal(error)


def refusal(error: OSError) -> dict[str, Any]:
    return {"status": 0, "refused": type(error).__name__, "reason": str(error), "headers": [], "body": ""}


def answer(connection: socket.socket, text: str) -> dict[str, Any]:
    """The status, each header line as it came, and the start of the body. Status 0: closed without an answer."""
    connection.sendall(text.encode())
    received = b""
    try:
        while not _whole(received) and (chunk := connection.recv(65536)):
            received += chunk
    except OSError as error:
        if not received:
            return refusal(error)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    match = re.match(r"HTTP/\d\.\d (\d{3})", lines[0])
    headers = [[key.strip().lower(), value.strip()] for key, _, value in (line.partition(":") for line in lines[1:])]
    status = int(match[1]) if match else 0
    return {"status": status, "headers": headers, "body": body.decode("utf-8", "replace")[:200_000]}


def _whole(received: bytes) -> bool:
    """Whether the answer is there as far as it said, or is too long: a server that refuses a body lingers before it closes."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return len(received) > 1_000_000 or bool(end and length and len(body) >= int(length[1]))
