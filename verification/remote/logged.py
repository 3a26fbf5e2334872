"""Inside: what the application's log says, who can read it, and what is in no log."""

import gzip
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

JOURNALS = ("/var/log/journal", "/run/log/journal")
UNIT = "casemate.service"
SOCKET = "/run/casemate/gunicorn.sock"
ANY_LOG = Path("/var/log")


@section
def journal_readers(_parameters: Parameters) -> dict[str, Any]:
    """Who can open the journal in which the application's lines are: each account is tried, and each group's members are named."""
    files = [str(path) for folder in JOURNALS for path in Path(folder).glob("*/system*.journal")]
    accounts = {e.pw_name: (e.pw_uid, _own_first(os.getgrouplist(e.pw_name, e.pw_gid), e.pw_gid)) for e in pwd.getpwall() if e.pw_uid}
    services = list(_services())
    administrators, nobody = _group("adm"), pwd.getpwnam("nobody")
    member = (nobody.pw_uid, (nobody.pw_gid, administrators))
    opening = _that_open(files, [*accounts.values(), *(somebody for _unit, somebody in services), member])
    return {
        "files": len(files),
        "accounts": sorted(name for name, somebody in accounts.items() if somebody in opening),
        "in adm": sorted(name for name, (_uid, groups) in accounts.items() if administrators in groups),
        "nobody, as a member of adm": member in opening,
        "services": sorted({unit for unit, somebody in services if somebody in opening}),
    }


def _own_first(groups: list[int], own: int) -> tuple[int, ...]:
    return own, *(group for group in groups if group != own)


def _group(name: str) -> int:
    return int(output("getent", "group", name).split(":")[2])


# Each of them in a process that is them; one interpreter for all, since it takes longer to begin than to try.
TRY = """
import json, os, sys
files, tries = json.loads(sys.argv[1])
def opens(uid, groups):
    if (child := os.fork()) == 0:
        try:
            os.setgroups(groups), os.setgid(groups[0]), os.setuid(uid)
        except OSError:
            os._exit(2)
        for path in files:
            try:
                open(path, "rb").close()
                os._exit(0)
            except OSError:
                pass
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, 1):
        sys.exit(f"nobody could be made account {uid}")
    return status == 0
print(json.dumps([opens(uid, groups) for uid, groups in tries]))
"""
Somebody = tuple[int, tuple[int, ...]]  # a number, and their groups, the own one first


def _that_open(files: list[str], tries: Iterable[Somebody]) -> set[Somebody]:
    """Those who open one of the files."""
    asked = sorted(set(tries))
    said = output("/usr/bin/python3", "-ISc", TRY, json.dumps([files, asked]))
    return {one for one, opened in zip(asked, json.loads(said), strict=True) if opened}


def _services() -> Iterator[tuple[str, Somebody]]:
    """Units with a process that is not root's, and whose number and groups that has."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            unit = Path(status.with_name("cgroup").read_text().strip()).name
        except OSError:
            continue
        uid = int(fields["Uid"].split()[1])
        if uid and unit.endswith(".service"):
            yield unit, (uid, (int(fields["Gid"].split()[1]), *map(int, fields["Groups"].split())))


@on_request
def line_of_a_request(parameters: Parameters) -> dict[str, Any]:
    """How long after the answer to a request its line is in the journal of the service."""
    began = time.time()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        asked = f"GET /{parameters['marker']}/ HTTP/1.1\r\nHost: {parameters['site']}\r\nX-Real-IP: 127.0.0.8\r\n"
        connection.sendall(f"{asked}X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n".encode())
        while connection.recv(65536):
            pass
    answered = time.monotonic()
    while not (lines := _lines(began, parameters["marker"])) and time.monotonic() - answered < 10:
        time.sleep(0.1)
    return {"seconds": round(time.monotonic() - answered, 2), "lines": lines}


@on_request
def lost_workers(_parameters: Parameters) -> dict[str, Any]:
    """One worker is killed, another hangs: what the service's journal says of each within ten seconds."""
    began, found = time.time(), {}
    main = output("systemctl", "show", "--property=MainPID", "--value", UNIT).strip()
    for way in ("killed", "timed out"):
        worker = _worker(main)
        if way == "killed":
            os.kill(worker, signal.SIGKILL)
        else:
            os.kill(worker, signal.SIGSTOP)
            _make_late(main, worker)
        end = time.monotonic() + 10
        while not (lines := [line for line in _lines(began, str(worker)) if _tells(way, line, worker)]) and time.monotonic() < end:
            time.sleep(0.2)
        found[way] = lines
        while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
            time.sleep(0.2)
    return found


def _tells(way: str, line: dict[str, Any], worker: int) -> bool:
    words = {"killed": rf"pid:{worker}\).*SIGKILL", "timed out": rf"TIMEOUT \(pid:{worker}\)"}[way]
    return re.search(words, str(line.get("message"))) is not None


def _worker(main: str) -> int:
    """The youngest: what the oldest are about to do is not known."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if children := Path(f"/proc/{main}/task/{main}/children").read_text().split():
            time.sleep(0.5)  # until it has told that it lives
            return int(children[-1])
        time.sleep(0.2)
    raise RuntimeError(f"{UNIT} has no worker")


def _make_late(main: str, worker: int) -> None:
    """Each worker touches a file in memory, and gunicorn looks how old it is. Nobody waits half a minute here: the file is made older."""
    mine = {os.stat(path).st_ino for path in Path(f"/proc/{worker}/fd").iterdir() if "wgunicorn-" in os.readlink(path)}
    theirs = [path for path in Path(f"/proc/{main}/fd").iterdir() if "wgunicorn-" in os.readlink(path) and os.stat(path).st_ino in mine]
    # What the worker has open of the others it took over when it was made; its own is the one that the youngest has alone.
    newest = max(theirs, key=lambda path: os.stat(path).st_mtime)
    late = time.monotonic() - 3600
    os.utime(newest, (late, late))


def _lines(since: float, word: str) -> list[dict[str, Any]]:
    """The application's lines of JSON with that word in them, since then; each with the time at which it reached the journal."""
    entries = output("journalctl", "-q", "-o", "json", "--no-pager", f"--since=@{int(since)}", f"--unit={UNIT}", ok=(0, 1)).splitlines()
    found = []
    for entry in map(json.loads, entries):
        text = entry.get("MESSAGE") or ""
        if isinstance(text, str) and word in text:
            found.append({**_parsed(text), "arrived": int(entry["__REALTIME_TIMESTAMP"]) / 1e6, "text": text})
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


@on_request
def told_of(parameters: Parameters) -> dict[str, Any]:
    """The application's lines and nginx's with each of these words, since a time."""
    # Not splitlines: a path may hold what Unicode takes for the end of a line, and nginx writes it as it came.
    access = Path("/var/log/nginx/access.log").read_text(errors="replace").split("\n")
    return {
        word: {
            "application": _lines(parameters["since"], word),
            "nginx": [parsed for line in access if word in line and (parsed := _parsed(line))],
        }
        for word in parameters["words"]
    }


@on_request
def in_the_logs(parameters: Parameters) -> dict[str, Any]:
    """In which logs these can be read: all files of the log folders, and all that the journal has of each entry since then.

    Codes of six digits are looked for as words of their own, and only in what the application and nginx wrote meanwhile.
    """
    marks, codes, since = parameters["search"], parameters["codes"], int(parameters["since"])
    found: dict[str, list[str]] = {}
    for place, text in _places(since):
        if hits := [name for name, mark in marks.items() if mark.encode() in text]:
            found[place] = sorted(hits)
    told = output("journalctl", "-q", "-o", "cat", "--no-pager", f"--since=@{since}", f"--unit={UNIT}", ok=(0, 1))
    told += "\n".join(_since(Path("/var/log/nginx/access.log"), since))
    if hits := [code for code in codes if re.search(rf"(?<!\d){code}(?!\d)", told)]:
        found["application and nginx"] = [f"{len(hits)} codes"]
    return {"found": found, "files": sum(1 for _ in _files())}


def _files() -> Iterator[Path]:
    for path in sorted(ANY_LOG.rglob("*")):
        if path.is_file() and not path.is_symlink() and "journal" not in path.relative_to(ANY_LOG).parts[:1]:
            yield path


def _places(since: int) -> Iterator[tuple[str, bytes]]:
    for path in _files():
        content = path.read_bytes()
        yield str(path), gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    ran = subprocess.run(["journalctl", "-q", "-o", "export", "--no-pager", f"--since=@{since}"], capture_output=True, check=True)
    yield "the journal", ran.stdout


def _since(path: Path, since: int) -> list[str]:
    """The lines of nginx's log that were written since then, by the time that stands in each."""
    lines = path.read_text(errors="replace").splitlines()
    return [line for line in lines if (told := _parsed(line).get("time")) and datetime.fromisoformat(told).timestamp() >= since]
