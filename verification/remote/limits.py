"""Outside: bodies of one byte too many, addresses that are none, and a flood."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.sections import Parameters, on_request, section
from verification.remote.wire import https, request


@section
def bodies(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """Of each address with a limit: what comes of a body of just that size, of one byte more, and of one byte more in chunks."""
    found = {}
    for path, limit in parameters["body_limits"].items():
        found[path] = {
            "of the limit": https(parameters, request("POST", path, parameters["site"], body="a" * limit))["status"],
            "one byte more": _refused(https(parameters, declared(path, parameters["site"], limit + 1))),
            "one byte more, in chunks": _refused(https(parameters, chunked(path, parameters["site"], limit + 1))),
        }
    return found


def declared(path: str, site: str, length: int) -> str:
    """A request that only says how long its body is: who refuses by the length need not read it."""
    return f"POST {path} HTTP/1.1\r\nHost: {site}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"


def chunked(path: str, site: str, length: int) -> str:
    head = f"POST {path} HTTP/1.1\r\nHost: {site}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return f"{head}{length:x}\r\n{'a' * length}\r\n0\r\n\r\n"


def _refused(given: dict[str, Any]) -> list[Any]:
    """The status, and whether the page is nginx's own: the application has none with this style sheet."""
    return [given["status"], "/-/error.css" in given["body"]]


@section
def nowhere(parameters: Parameters) -> dict[str, int]:
    """Addresses that others' applications have, and debuggers, monitors and backups leave behind."""
    with ThreadPoolExecutor(max_workers=6) as pool:
        ask = {path: pool.submit(https, parameters, request("GET", path, parameters["site"])) for path in parameters["nowhere"]}
        return {path: answered.result()["status"] for path, answered in ask.items()}


@section
def security_txt(parameters: Parameters) -> dict[str, Any]:
    """RFC 9116: whom to tell of a weakness."""
    path = "/.well-known/security.txt"
    given = https(parameters, request("GET", path, parameters["site"]))
    fields = [line.partition(": ")[::2] for line in given["body"].splitlines() if line and not line.startswith("#")]
    return {"status": given["status"], "type": dict(given["headers"]).get("content-type", ""), "fields": [list(one) for one in fields]}


@on_request
def flood(parameters: Parameters) -> list[str]:
    """Sixty sign-ins at once from one address: the status of each, and whether it was nginx that answered."""
    text = request("POST", "/sign-in/", parameters["site"], body="email=nobody%40casemate.invalid&password=none")
    with ThreadPoolExecutor(max_workers=60) as pool:
        tries = [pool.submit(https, parameters, text) for _ in range(60)]
        given = [one.result() for one in tries]
    return [f"{one['status']}{' of nginx' if '/-/error.css' in one['body'] else ''}" for one in given]
