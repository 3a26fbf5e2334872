"""Inside: the configuration that nginx has loaded, its packages, and what the application says before nginx touches it."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from verification.remote.nginx_configuration import parsed
from verification.remote.sections import Parameters, output, section

APPLICATION = "/run/casemate/gunicorn.sock"
STATIC = Path("/opt/casemate/current/static")
LISTS = [Path("/var/lib/apt") / name for name in ("lists", "lists/partial", "periodic/update-stamp", "periodic/update-success-stamp")]


@section
def nginx(_parameters: Parameters) -> dict[str, Any]:
    """What `nginx -T` reads, when the last of these files was written, and since when the workers that take requests have run."""
    shown = subprocess.run(["/usr/sbin/nginx", "-T", "-q"], capture_output=True, text=True, check=False, timeout=30)
    if "Read-only file system" in shown.stderr:  # nginx opens its logs even for a test
        return {"not_testable": "whoever reads here may write nothing, and nginx -T opens the logs: an operator's verification sees it"}
    if shown.returncode:
        raise RuntimeError(f"nginx -T ended with {shown.returncode}: {shown.stderr.strip()[-400:]}")
    files = re.findall(r"(?m)^# configuration file (\S+):$", shown.stdout)
    titles = _titles()
    workers = [pid for pid, title in titles.items() if title == "nginx: worker process"]
    if not files or not workers:
        raise RuntimeError(f"nginx -T named {len(files)} files, and {len(workers)} workers run")
    return {
        "directives": parsed(shown.stdout),
        "files": files,
        "master": [title for title in titles.values() if title.startswith("nginx: master process")],
        # A changed name, owner or mode counts too: ctime is what nobody sets by hand.
        "seconds that it runs unloaded": round(max(max(os.stat(name).st_ctime for name in files) - min(map(_started, workers)), 0.0), 2),
    }


def _titles() -> dict[int, str]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it ended meanwhile
            continue
        if title.startswith("nginx: "):
            found[int(path.parent.name)] = title
    return found


def _started(pid: int) -> float:
    """The moment, by the clock on the wall, at which a process began; the kernel counts it in ticks since the boot."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + (ticks + 1) / os.sysconf("SC_CLK_TCK")


@section
def nginx_packages(_parameters: Parameters) -> dict[str, Any]:
    """nginx and its modules as apt sees them, what holds a package back, and how old the lists are by which apt judges."""
    pattern = "${db:Status-Abbrev} ${source:Package} ${Package}\\n"
    lines = [line.split() for line in output("dpkg-query", "-W", "-f", pattern).splitlines()]
    names = sorted(name for state, source, name in lines if state[1] == "i" and (source == "nginx" or name.startswith("libnginx-mod-")))
    if not names:
        raise RuntimeError("no package of nginx is installed")
    versions = {}
    for block in re.split(r"\n(?=\S)", output("apt-cache", "policy", *names)):
        told = dict(re.findall(r"(?m)^  (Installed|Candidate|Package pin): (.*)$", block))
        versions[block.partition(":")[0]] = [told.get(key, "") for key in ("Installed", "Candidate", "Package pin")]
    newest = max(path.stat().st_mtime for path in LISTS if path.exists())
    return {
        "pending": {name: f"{own} → {candidate}" for name, (own, candidate, _pin) in versions.items() if own != candidate},
        "held": sorted(name for state, _source, name in lines if state[:1] == "h" and name in names),
        "pinned": {name: pin for name, (_own, _candidate, pin) in versions.items() if pin},
        "packages": sorted(versions),
        "days since apt looked": round((time.time() - newest) / 86400, 2),
    }


@section
def headers_of_the_application(parameters: Parameters) -> dict[str, list[list[str]]]:
    """The headers of its answers as they leave its socket."""
    paths = {"page": parameters["page"], "redirect": "/", "404 of the application": "/no-such-page/"}
    return {kind: _asked(path, parameters["site_name"]) for kind, path in paths.items()}


@section
def answers_by_scheme(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """What it answers over its socket to who says that it came by HTTPS, in clear, by both, or nothing of it."""
    schemes = {"https": "https", "in clear": "http", "both": "http, https", "nothing": ""}
    found = {}
    for name, scheme in schemes.items():
        head, _, body = _received(parameters["page"], parameters["site_name"], scheme).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        cookies = sum(line.startswith("set-cookie:") for line in lines)
        found[name] = {"status": lines[0].split(" ")[1], "cookies": cookies, "a page": b"<html" in body}
    return found


@section
def answers_of_middleware(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """Status and names of headers of what middleware answers by itself, each from its own place in the order."""
    asked = {
        "in clear": (parameters["page"], "http"),
        "an address without its slash": ("/sign-in", "https"),
        "a method that an address does not take": ("/csp-reports/", "https"),
    }
    found = {}
    for name, (path, scheme) in asked.items():
        lines = _received(path, parameters["site_name"], scheme).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        found[name] = {"status": int(lines[0].split(" ")[1]), "headers": sorted(line.partition(":")[0].lower() for line in lines[1:])}
    return found


@section
def forms_by_origin(parameters: Parameters) -> dict[str, int]:
    """The status of a form with its right token that says to come from here or there. All else is missing in it: nothing comes of it."""
    tried, page, site = parameters.get("tried_origins", {}), parameters["page"], parameters["site_name"]
    if not tried:
        return {}
    head, _, body = _received(page, site, "https").decode(errors="replace").partition("\r\n\r\n")
    cookies = re.findall(r"(?im)^set-cookie: *([^;\r\n]+)", head)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', body)
    if not token:
        raise RuntimeError(f"{page} has no form with a token")
    statuses = {}
    for name, said in tried.items():
        lines = [f"Cookie: {'; '.join(cookies)}", *(f"{header}: {value}" for header, value in said.items())]
        answer = _received(page, site, "https", more=lines, form=f"csrfmiddlewaretoken={token[1]}")
        statuses[name] = int(answer.split(b" ", 2)[1])
    return statuses


def _asked(path: str, site: str) -> list[list[str]]:
    head = _received(path, site, "https").partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [[key.strip().lower(), value.strip()] for key, _, value in (line.partition(":") for line in head)]


def _received(path: str, site: str, scheme: str, *, more: Iterable[str] = (), form: str = "") -> bytes:
    """The whole answer of the application's socket; `scheme` is the word of a proxy, or nobody's where it is empty."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(APPLICATION)
        words = [*([f"X-Forwarded-Proto: {scheme}"] if scheme else []), *more]
        words += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"] if form else []
        method = "POST" if form else "GET"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {site}", "X-Real-IP: 127.0.0.8", *words, "Connection: close"]
        connection.sendall("\r\n".join([*lines, "", form]).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@section
def style_sheets(_parameters: Parameters) -> dict[str, list[str]]:
    """What each style sheet of the release makes a browser fetch."""
    fetched = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])([^'\")\s]+)", re.IGNORECASE)
    return {str(path.relative_to(STATIC)): sorted(set(fetched.findall(path.read_text()))) for path in sorted(STATIC.rglob("*.css"))}
