"""Outside, active: requests that two servers could read in two ways. Each carries a mark, by which the inside knows it again."""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.sections import Parameters, on_request
from verification.remote.wire import answer, refusal

PATIENCE = 20.0  # seconds for one that stops in its middle: nginx lets it go after ten


@on_request
def crooked(parameters: Parameters) -> dict[str, Any]:
    """The status of each (of a 404 whether nginx says it), 0 where it was closed without an answer, -1 where nobody let go of it."""
    texts = requests(parameters["site"], parameters["mark"])
    with ThreadPoolExecutor(max_workers=8) as pool:
        sent = {name: pool.submit(_send, parameters, text) for name, text in texts.items()}
        return {name: one.result() for name, one in sent.items()}


def requests(site: str, mark: str) -> dict[str, bytes]:
    """By name. The mark stands in the path of each, with a word for the one that is to come through, and in what others smuggle along."""
    numbers = iter(range(1000))

    def path() -> str:
        return f"/{mark}-{next(numbers):02d}/"

    def get(path: str, headers: str = "", host: str = f"Host: {site}\r\n") -> bytes:
        return f"GET {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n".encode()

    def post(headers: str, body: str, version: str = "1.1") -> bytes:
        text = f"POST {path()} HTTP/{version}\r\nHost: {site}\r\nContent-Type: text/plain\r\n{headers}Connection: close\r\n\r\n{body}"
        return text.encode()

    inner = f"GET {path()} HTTP/1.1\r\nHost: {site}\r\n\r\n"
    long = len(inner) + 5
    chunks = f"0\r\n\r\n{inner}"
    return {
        "a whole one": get(f"/{mark}-whole/"),
        "two lengths": post(f"Content-Length: 0\r\nContent-Length: {long}\r\n", chunks),
        "two equal lengths": post("Content-Length: 3\r\nContent-Length: 3\r\n", "a=b"),
        "two lengths in one line": post(f"Content-Length: 0, {long}\r\n", chunks),
        "a length with a sign": post("Content-Length: +3\r\n", "a=b"),
        "a length in hexadecimal": post("Content-Length: 0x3\r\n", "a=b"),
        "a length below nothing": post("Content-Length: -1\r\n", "a=b"),
        "a length and chunks": post(f"Content-Length: {long}\r\nTransfer-Encoding: chunked\r\n", chunks),
        "chunks and a length": post(f"Transfer-Encoding: chunked\r\nContent-Length: {long}\r\n", chunks),
        "chunks of two codings": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks),
        "chunks of a strange coding": post("Transfer-Encoding: xchunked\r\n", chunks),
        "chunks hidden by a tabulator": post(f"Transfer-Encoding:\x0bchunked\r\nContent-Length: {long}\r\n", chunks),
        "chunks in HTTP/1.0": post("Transfer-Encoding: chunked\r\n", chunks, version="1.0"),
        "chunks of a size that is none": post("Transfer-Encoding: chunked\r\n", "zz\r\na=b\r\n0\r\n\r\n"),
        "a blank before the colon": post(f"Content-Length : {long}\r\n", chunks),
        "a folded header": get(path(), "X-Folded: first\r\n second\r\n"),
        "a folded first header": get(path(), host=f" X-Folded: first\r\nHost: {site}\r\n"),
        "a header of 9 KB": get(path(), f"X-Long: {'a' * 9000}\r\n"),
        "headers of 60 KB": get(path(), "".join(f"X-{number}: {'a' * 6000}\r\n" for number in range(10))),
        "an address of 9 KB": get(path() + "a" * 9000),
        "a carriage return in a header": get(path(), "X-Split: a\rX-Second: b\r\n"),
        "a NUL in a header": get(path(), "X-Split: a\0b\r\n"),
        "a line break in the path": get(path() + "%0d%0aX-Injected:%20yes"),
        "two hosts": get(path(), host=f"Host: {site}\r\nHost: attacker.example\r\n"),
        "no host": get(path(), host=""),
        "no host in HTTP/1.0": f"GET {path()} HTTP/1.0\r\n\r\n".encode(),
        "a request of HTTP/0.9": f"GET {path()}\r\n".encode(),
        "a host that is none": get(path(), host=f"Host: {site}@attacker.example\r\n"),
        "a strange host": get(path(), host="Host: attacker.example\r\n"),
        "a strange host in the address": get(f"https://attacker.example{path()}"),
        "our address, and a strange host": get(f"https://{site}{path()}", host="Host: attacker.example\r\n"),
        "TRACE": get(path()).replace(b"GET", b"TRACE", 1),
        "CONNECT": f"CONNECT {site}:443 HTTP/1.1\r\nHost: {site}\r\n\r\n".encode(),
        "a method that nobody knows": get(path()).replace(b"GET", b"DEBUG", 1),
        "a version that nobody speaks": get(path()).replace(b"HTTP/1.1", b"HTTP/3.7", 1),
        "a path that climbs": get(f"{path()}../../{mark}-climbed/"),
        "a path that stays": get(f"{path()}./"),
        "a path that climbs, encoded": get(f"{path()}%2e%2e/{mark}-climbed/"),
        "a path that climbs, its slash encoded": get(f"{path()}..%2f{mark}-climbed/"),
        "a path that climbs for other servers": get(f"{path()}..;/{mark}-climbed/"),
        "a path with backslashes": get(f"{path()}..\\{mark}-climbed\\"),
        "a path with encoded backslashes": get(f"{path()}..%5c{mark}-climbed%5c"),
        "a path with two slashes": get(f"/{path()}"),
        "a path with a NUL": get(f"{path()}%00.css"),
        "a path with a fragment": get(f"{path()}#/../"),
        "a path with a blank": get(f"{path()}a b"),
        "a body that stops in its middle": post("Content-Length: 100\r\n", "a=b"),
        "headers that stop in their middle": f"GET {path()} HTTP/1.1\r\nHost: {site}\r\nX-Slow: a".encode(),
    }


def _send(parameters: Parameters, text: bytes) -> int | str:
    context = ssl.create_default_context(cadata=parameters["ca"] or None)
    began = time.monotonic()
    try:
        with (
            socket.create_connection((parameters["address"], 443), timeout=PATIENCE) as raw,
            context.wrap_socket(raw, server_hostname=parameters["site"]) as connection,
        ):
            given = answer(connection, text.decode())
    except OSError as error:
        given = refusal(error)
    if given["status"] == 404 and "/-/error.css" in given["body"]:
        return "404 of nginx"
    return -1 if given["status"] == 0 and time.monotonic() - began > PATIENCE - 1 else int(given["status"])
