"""Outside: the same requests over HTTP/1.1 and HTTP/2, which curl asks, and over HTTP/3, which verification/remote/http3.py does."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verification.remote import http3
from verification.remote.sections import Parameters, on_request, section
from verification.remote.wire import https, request

MARK = "casemate-answer"
SECONDS = 10
TOO_LARGE = 67_108_865  # one byte more than the largest limit that role nginx takes
SIGN_IN = "email=nobody%40casemate.invalid&username=nobody&password=none"
WITHOUT_CURL = "there is no curl there, which asks over HTTP/1.1 and HTTP/2: apt install curl"
Answers = dict[str, Any]
Ask = Callable[[Parameters, list[http3.Request]], list[dict[str, Any]]]


@section
def answers_by_version(parameters: Parameters) -> Answers:
    """One answer of each kind, by version."""
    path = parameters["page"]
    page = https(parameters, request("GET", path, parameters["site"]))
    static = re.search(r"(?:href|src)=\"(/static/[^\"]+\.css)\"", page["body"])
    kinds = {
        "page": get(path),
        "redirect": get("/"),
        "static file": get(static[1] if static else "/static/no-link-in-the-page"),
        "style sheet of the error pages": get("/-/error.css"),
        "contact for weaknesses": get("/.well-known/security.txt"),
        "404 of the application": get("/no-such-page/"),
        "403 of the application": {"method": "POST", "path": path, "body": SIGN_IN},
        "400 of nginx": get("/%zz"),
        "404 of nginx": get("/static/no-such-file"),
        "405 of nginx": {"method": "TRACE", "path": "/"},
        "413 of nginx": {"method": "POST", "path": path, "length": TOO_LARGE},
    }
    return _by_version(parameters, kinds)


@on_request
def page_by_version(parameters: Parameters) -> Answers:
    """The page alone, as while the application is stopped."""
    return _by_version(parameters, {"page": get(parameters["page"])})


@on_request
def sign_ins_by_version(parameters: Parameters) -> Answers:
    """So many sign-ins one after another, HTTP/3 first, whose count is then its own."""
    one = {"method": "POST", "path": "/sign-in/", "body": SIGN_IN}
    return _by_version(parameters, {f"sign-in {number}": one for number in range(parameters["times"])})


@section
def strangers_by_http3(parameters: Parameters) -> Answers:
    """Who asks over HTTP/3 for another name, for none, or for another host than the certificate's; status 0 where no answer came."""
    if not parameters["http3"]:
        return {}
    if why := http3.missing():
        return {"not_testable": why}
    other = "attacker.example"
    found = {}
    for kind, name, authority in (
        ("our own name", "", parameters["site"]),
        ("our name, unknown host", "", other),
        ("unknown name", other, other),
        ("no name", None, other),
    ):
        with http3.Connection(parameters, name) as connection:
            (answer,) = connection.ask([{**get(parameters["page"]), "authority": authority}])
        found[kind] = {"status": answer["status"], "ended": answer["ended"]}
    return found


def get(path: str) -> http3.Request:
    return {"method": "GET", "path": path}


def _by_version(parameters: Parameters, kinds: dict[str, http3.Request]) -> Answers:
    """By version and kind. A version that nobody there speaks is a sentence."""
    found: Answers = {}
    without_curl = "" if shutil.which("curl") else WITHOUT_CURL
    ways: dict[str, tuple[str, Ask]] = {
        **({"HTTP/3": (http3.missing(), _by_quic)} if parameters["http3"] else {}),
        "HTTP/2": (without_curl, lambda *given: _by_curl("http2", *given)),
        "HTTP/1.1": (without_curl, lambda *given: _by_curl("http1.1", *given)),
    }
    for version, (why, ask) in ways.items():
        if why:
            found[version] = {"not_testable": why}
        else:
            found[version] = dict(zip(kinds, ask(parameters, list(kinds.values())), strict=True))
    return found


def _by_quic(parameters: Parameters, requests: list[http3.Request]) -> list[dict[str, Any]]:
    """One after another over one connection; a new one where the server closed it."""
    found: list[dict[str, Any]] = []
    while len(found) < len(requests):
        with http3.Connection(parameters) as connection:
            while len(found) < len(requests) and not connection.ended:
                found += connection.ask([requests[len(found)]])
        if found[-1]["ended"] == http3.NO_ANSWER:  # nobody is there, and each further request would wait as long
            found += [found[-1]] * (len(requests) - len(found))
    return found


def _by_curl(version: str, parameters: Parameters, requests: list[http3.Request]) -> list[dict[str, Any]]:
    """All in one run of curl, which keeps its connection where the server lets it."""
    site, transfers = parameters["site"], []
    with tempfile.TemporaryDirectory() as folder:
        anchor, large = Path(folder, "anchor.pem"), Path(folder, "large")
        anchor.write_text(parameters["ca"] or "")
        with large.open("wb") as file:
            file.truncate(TOO_LARGE)
        for one in requests:
            lines = [version, "silent", "path-as-is", "globoff", "noproxy = *", "dump-header = -", "output = /dev/null"]
            lines += [
                f'url = "https://{site}{one["path"]}"',
                f'resolve = "{site}:443:[{parameters["address"]}]"',
                f"request = {one['method']}",
            ]
            lines += [f'cacert = "{anchor}"'] if parameters["ca"] else []
            lines += [f'data = "{one["body"]}"'] if "body" in one else []
            lines += [f'upload-file = "{large}"'] if "length" in one else []
            lines += [f"max-time = {SECONDS}", 'user-agent = "casemate-verify"', 'header = "Accept: text/html"']
            lines += [f'write-out = "\\n{MARK} %{{http_code}} %{{exitcode}}\\n"']
            transfers.append("\n".join(lines))
        ran = subprocess.run(
            ["curl", "--disable", "--config", "-"],
            input="\nnext\n".join(transfers),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS * (len(requests) + 1),
        )
    given = re.findall(rf"(.*?)\n{MARK} (\d+) (\d+)\n", ran.stdout, re.DOTALL)
    if len(given) != len(requests):
        raise RuntimeError(f"curl answered {len(given)} of {len(requests)} requests: {ran.stderr.strip()[-300:]}")
    return [_answer(*one) for one in given]


def _answer(heads: str, status: str, ended: str) -> dict[str, Any]:
    """The last head of a transfer: before it may stand a 100 Continue."""
    head = re.split(r"\r?\n\r?\n", heads.strip())[-1]
    headers = [[name.strip().lower(), value.strip()] for name, _, value in (line.partition(":") for line in head.splitlines()[1:])]
    return {"status": int(status), "headers": headers, "ended": "" if ended == "0" else f"curl ended with {ended}"}
