"""Inside: who keeps watch - jails, timers, alerts - and what becomes of the logs."""

import grp
import gzip
import json
import os
import pwd
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

NGINX_LOGS = Path("/var/log/nginx")
ROTATION = "/etc/logrotate.d/nginx"
QUEUE, UNDELIVERED = Path("/var/lib/casemate-mail/queue"), Path("/var/lib/casemate-mail/undelivered")


@section
def jails(_parameters: Parameters) -> dict[str, dict[str, Any]]:
    """What fail2ban runs, asked of itself: its jails, and by what the one of the site knows a failure."""
    # Asked in one go, since its client takes a tenth of a second to begin; it ends with 255 where its questions end.
    questions = "status\nget casemate failregex\nget casemate journalmatch\n"
    answers = output("fail2ban-client", "-i", stdin=questions, ok=(0, 255)).split("fail2ban> ")
    if len(answers) < 4 or "Jail list:" not in answers[1]:
        raise RuntimeError("fail2ban names no jails: does it run?")
    status, failregex, journalmatch = answers[1:4]
    names = status.partition("Jail list:")[2].replace(",", " ").split()
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    if "casemate" in found:
        found["casemate"]["failregex"] = [line.partition("]: ")[2] for line in failregex.splitlines() if "]: " in line]
        found["casemate"]["journalmatch"] = journalmatch.strip().splitlines()[-1].strip()
    return found


@section
def timers(parameters: Parameters) -> dict[str, dict[str, str]]:
    """Of each timer that the expectations name: whether it will fire, how its last run ended, and who hears of one that fails."""
    found = {}
    absent = {"Result": "no such unit", "OnFailure": "", "TimeoutStartUSec": ""}
    timers = _properties(parameters["timers"], "UnitFileState", "ActiveState", "SubState", "NextElapseUSecRealtime", "Unit")
    runs = _properties([own["Unit"] for own in timers.values() if own["Unit"]], *absent)
    for timer, own in timers.items():
        run = runs.get(own["Unit"], absent)
        found[timer] = {
            "enabled": own["UnitFileState"],
            "state": own["ActiveState"],
            "next run": _next_run(own, run["TimeoutStartUSec"]),
            "last run": run["Result"],
            "on failure": run["OnFailure"].replace(f"@{own['Unit']}.service", "@"),
        }
    return found


def _next_run(timer: dict[str, str], ends_after: str) -> str:
    """systemd sets it when a run has ended: while one lasts there is none, and after one that hangs there never is."""
    if ends_after == "infinity":
        return "none after a run that hangs"
    return "set" if timer["NextElapseUSecRealtime"] or timer["SubState"] == "running" else "none"


@section
def rotation_policy(_parameters: Parameters) -> list[str]:
    """How logrotate itself understands the file, without doing anything."""
    ran = subprocess.run(["logrotate", "-d", ROTATION], capture_output=True, text=True, check=False)
    lines = [line.strip() for line in (ran.stdout + ran.stderr).splitlines()]
    told = [line for line in lines if line.startswith(("rotating pattern:", "error:", "warning:"))]
    return [" ".join(line.split()) for line in told if "in debug mode does nothing" not in line]


@section
def logs(_parameters: Parameters) -> dict[str, Any]:
    """Owner and mode of nginx's logs, and what an account that is nobody can read of all logs and of the journal."""
    script = (
        "import os, subprocess, sys\n"
        "for folder, _folders, names in os.walk('/var/log'):\n"
        "    for name in names:\n"
        "        try: open(os.path.join(folder, name), 'rb').close(); print(os.path.join(folder, name))\n"
        "        except OSError: pass\n"
        "lines = subprocess.run(['journalctl', '-q', '--no-pager', '-n', '3', '_UID=0'], capture_output=True).stdout\n"
        "print('the journal' if lines.strip() else '')\n"
    )
    groups: list[int] = []
    ran = subprocess.run(
        ["python3", "-c", script], user="nobody", group="nogroup", extra_groups=groups, cwd="/", capture_output=True, text=True, check=True
    )
    files = {str(path): _mode(path) for path in (NGINX_LOGS, *sorted(NGINX_LOGS.iterdir()))}
    return {"files": files, "read by nobody": sorted(line for line in ran.stdout.splitlines() if line)}


@section
def mail(_parameters: Parameters) -> dict[str, Any]:
    """Who is told over which relay, and what waits."""
    told = json.loads(Path("/etc/casemate/mail.json").read_text())
    waiting = [path.stat().st_mtime for path in QUEUE.glob("*.eml")] if QUEUE.is_dir() else []
    relay = told["relay"] or {}
    return {
        "to": told["to"],
        "relay": f"{relay['host']}:{relay['port']}" if relay else "",
        "oldest_waits": round((time.time() - min(waiting)) / 60) if waiting else 0,
        "undelivered": len(list(UNDELIVERED.glob("*.eml"))) if UNDELIVERED.is_dir() else 0,
    }


@on_request
def alarm(parameters: Parameters) -> dict[str, Any]:
    """Has a unit of the given name fail, by a command of its own or by `false`, and waits for what follows: a line of priority alert, and,
    with a relay, a mail that left; and what the command said."""
    unit = parameters["unit"]
    properties = [f"--property=OnFailure=casemate-alert@{unit}.service.service", "--property=Type=oneshot"]
    properties += [f"--property={name}" for name in parameters.get("properties", [])]
    command = parameters.get("command", ["false"])
    began = time.time()
    subprocess.run(["systemd-run", "--quiet", f"--unit={unit}", *properties, *command], capture_output=True, check=False)
    told = _within(15, lambda: _lines(began, "-p", "alert", "-t", "casemate-alert", word=f"{unit}.service failed"))
    mailed = _within(20, lambda: _lines(began, "-t", "casemate-mail", word=f"took: [{socket.gethostname()}] {unit}.service failed"))
    # Where alerts are broken, the alert has failed as well.
    left = [f"{unit}.service", f"casemate-alert@{unit}.service.service"]
    subprocess.run(["systemctl", "reset-failed", *left], capture_output=True, check=False)
    return {"told": len(told), "mailed": len(mailed), "words": "\n".join(_lines(began, "-u", f"{unit}.service", word=""))}


@on_request
def journal_search(parameters: Parameters) -> list[str]:
    """What a command of the runbook finds."""
    return subprocess.run(["bash", "-c", parameters["search"]], capture_output=True, text=True, check=False).stdout.splitlines()


@on_request
def rotation(parameters: Parameters) -> dict[str, Any]:
    """Turns nginx's logs for real, with a full set of old ones, a line to keep and an empty file, and looks at what became of each."""
    access, error = NGINX_LOGS / "access.log", NGINX_LOGS / "error.log"
    newest, compressed = NGINX_LOGS / "access.log.1", NGINX_LOGS / "access.log.2.gz"
    there = set(NGINX_LOGS.glob("access.log.*"))
    made = [NGINX_LOGS / f"access.log.{number}.gz" for number in range(2, 32) if not (NGINX_LOGS / f"access.log.{number}.gz").exists()]
    for path in made:
        path.write_bytes(gzip.compress(b"old\n"))
    if not newest.exists():
        newest.write_text("old\n")
    try:
        for marker in ("before", "between"):
            _ask(parameters["site"], f"/{parameters['marker']}-{marker}")
            if marker == "before":
                _turn()
        os.truncate(error, 0)
        empty_before = sorted(path.name for path in NGINX_LOGS.glob("error.log.*"))
        _turn()
        _ask(parameters["site"], f"/{parameters['marker']}-after")
        old = [path for path in NGINX_LOGS.glob("access.log.*") if path.suffix != ".log"]
        return {
            "generations": len(old),
            "newest is plain": f"{parameters['marker']}-between" in _plain(newest),
            "the one before is gzip with its line": f"{parameters['marker']}-before" in _unpacked(compressed),
            "new line in the new file": f"{parameters['marker']}-after" in _plain(access),
            "new line in the old file": f"{parameters['marker']}-after" in _plain(newest),
            "open old files": sorted(_open_files(".1") + _open_files("(deleted)")),
            "new generations of the empty log": sorted({p.name for p in NGINX_LOGS.glob("error.log.*")} - set(empty_before)),
            "fresh file": _mode(access),
        }
    finally:
        # Where compression is off its turns leave plain files, which no later turn of a whole configuration would know.
        for path in NGINX_LOGS.glob("access.log.*"):
            if _unpacked(path) == "old\n" or (path not in there and path.suffix not in (".gz", ".1")):
                path.unlink()


def _plain(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _unpacked(path: Path) -> str:
    try:
        return gzip.decompress(path.read_bytes()).decode(errors="replace")
    except (OSError, EOFError):
        return ""


def _turn() -> None:
    output("logrotate", "--force", ROTATION)
    time.sleep(0.5)  # nginx opens its files anew when it has read the signal


def _ask(site: str, path: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", 443), 5) as raw, context.wrap_socket(raw, server_hostname=site) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n\r\n".encode())
        while connection.recv(65536):
            pass
    time.sleep(0.1)


def _open_files(ending: str) -> list[str]:
    """Logs of nginx that some process holds open under such a name."""
    links = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            links.append(os.readlink(descriptor))
        except OSError:
            continue
    return [link for link in set(links) if link.startswith(str(NGINX_LOGS)) and link.endswith(ending)]


def _lines(since: float, *matches: str, word: str) -> list[str]:
    shown = output("journalctl", "-q", "-o", "cat", "--no-pager", f"--since=@{int(since)}", *matches, ok=(0, 1))
    return [line for line in shown.splitlines() if word in line]


def _within(seconds: float, look: Any) -> list[str]:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.3)
    return list(found)


def _properties(units: list[str], *names: str) -> dict[str, dict[str, str]]:
    """These properties of each unit, asked at once: systemctl tells them in the order of the units, with a line between two."""
    shown = output("systemctl", "show", f"--property=Id,{','.join(names)}", "--", *units) if units else ""
    told = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
    return {unit: dict.fromkeys(names, "") | block for unit, block in zip(units, told, strict=bool(units))}


def _mode(path: Path) -> str:

    seen = path.lstat()
    return f"{pwd.getpwuid(seen.st_uid).pw_name}:{grp.getgrgid(seen.st_gid).gr_name} {stat.S_IMODE(seen.st_mode):04o}"
