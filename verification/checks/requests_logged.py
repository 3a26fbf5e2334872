"""What a request leaves in the application's log: its line, the end of a worker, and the one record of an error."""

import ipaddress
from datetime import datetime
from typing import Any

from verification.breaking import patch_application, restart_application
from verification.canary import marked, walk
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable

Expected = dict[str, Any]
CONFIGURATION = "/etc/casemate/gunicorn.conf.py"
JOURNAL = "sudo journalctl -u casemate -o cat"
SECONDS = 2.0


@control("LOG-001")
def test_only_root_and_the_administrators_read_the_journal(host: Host, see: Witness, declared: Expected) -> None:
    readers = host.inside["journal_readers"]
    reading = ["casemate-forward.service"] * bool(declared.get("log_collector")) + ["fail2ban.service"]
    show = "getfacl /var/log/journal/*/system.journal; sudo -u ACCOUNT journalctl -u casemate"
    see.at_least("files of the journal that each account tried to open", readers["files"], 1, show=show)
    see.exactly("accounts that open it and are not in the group adm", set(readers["accounts"]) - set(readers["in adm"]), set(), show=show)
    see.exactly("services that open it and are not root's", readers["services"], reading, show=show)
    see.exactly("nobody opens it once made a member of adm", readers["nobody, as a member of adm"], True, show=show)


@control("LOG-001", active=True)
def test_a_request_leaves_its_line_at_once(host: Host, see: Witness) -> None:
    if "app" not in host.tiers:
        raise NotApplicable("no application runs here")
    asked = {"sections": ["line_of_a_request"], "marker": "verifier-asks-for-a-line", "site": host.site}
    seen = host.trial("the line of a request", lambda host: dict(host.look_inside(asked)["line_of_a_request"]))
    see.at_least("lines about a request", len(seen["lines"]), 1, show=JOURNAL)
    see.at_most("seconds from the answer until they are there", seen["seconds"], SECONDS, show=JOURNAL)


@probe(
    "LOG-001",
    touches=("gunicorn: access log", "settings: logging"),
    spoils=("BAN-001", "BAN-002", "BAN-004", "HOST-007", "LOG-002", "LOG-010", "LOG-011", "LOG-015", "LOG-016", "LOG-017"),
)
def the_log_is_switched_off_because_of_its_size(host: Host) -> None:
    host.replace(CONFIGURATION, 'accesslog = "-"', "accesslog = None")
    kept = '{"class": "logging.StreamHandler", "formatter": "line"}'
    patch_application(host, "settings.py", kept, '{"class": "logging.NullHandler"}')


@probe("LOG-001", touches=("journal: modes",), spoils=("LOG-013",))
def the_journal_is_opened_for_a_statistics_program(host: Host) -> None:
    host.sudo("chmod o+r /var/log/journal/*/system.journal")


@control("LOG-002", active=True)
def test_each_request_is_a_line_with_who_asked_and_without_what(host: Host, see: Witness, expected: Expected) -> None:
    seen = marked(host)
    marker = f"/{seen['marker']}"
    lines = [line for line in seen["told"]["application"] if line.get("logger") == "gunicorn.access"]
    asked = [(line.get("method"), line.get("path"), line.get("status")) for line in lines]
    ways = (("GET", f"{marker}/"), ("POST", f"{marker}/"), ("GET", f"{marker}\u2028broken"))
    wanted = [(*way, status) for way, status in zip(ways, seen["statuses"], strict=True)]
    see.exactly("lines about three requests, with the statuses that were answered", asked, wanted, show=JOURNAL)
    see.exactly("requests that were answered at all", sum(status >= 200 for status in seen["statuses"]), 3)
    fields = {name for line in lines for name in line} - {"arrived", "text"}
    see.exactly("what stands in them", fields, set(expected["request_line"]), show=JOURNAL)
    for number, line in enumerate(lines, 1):
        see.one_of(f"the client's address, {number}. request", line.get("address"), seen["from"], show=JOURNAL)
        see.at_least(f"milliseconds that it took, {number}. request", line.get("ms", -1), 0, show=JOURNAL)
    delays = [line["arrived"] - datetime.fromisoformat(line["time"]).timestamp() for line in lines]
    see.at_most("seconds from the end of a request until its line is in the journal", max(delays, default=999.0), SECONDS, show=JOURNAL)
    broken = [line["text"][:200] for line in seen["told"]["application"] if "message" not in line]
    see.exactly("lines that are no JSON, one of them after a line break in the path", broken, [], show=JOURNAL)
    ids = {line.get("request_id") for line in seen["told"]["nginx"]}
    see.exactly("ids of these requests, as nginx gave them", {line.get("request_id") for line in lines}, ids, show=JOURNAL)
    found = {place: [name for name in names if name != "marker"] for place, names in seen["found"].items()}
    see.exactly("parts of what was sent that are in a log", {place: names for place, names in found.items() if names}, {}, show=JOURNAL)


def found_in(day: dict[str, Any], place: str) -> list[str]:
    hits: list[str] = day["in the logs"]["found"].get(place, [])
    return hits


@probe("LOG-002", touches=("gunicorn: address",))
def the_address_of_the_peer_is_logged_as_it_was_before_the_proxy(host: Host) -> None:
    host.replace(CONFIGURATION, 'environ.get("HTTP_X_REAL_IP", "")', 'environ.get("REMOTE_ADDR", "")')
    restart_application(host)


@control("LOG-003", active=True)
def test_a_lost_worker_leaves_its_reason(host: Host, see: Witness) -> None:
    seen = host.trial("lost workers", lambda host: dict(host.look_inside({"sections": ["lost_workers"]})["lost_workers"]))
    for way, word in (("killed", "SIGKILL"), ("timed out", "TIMEOUT")):
        lines = seen[way]
        see.exactly(f"lines of the service that give the reason ({word}) of a worker that was {way}", len(lines), 1, show=JOURNAL)
        see.exactly(f"who wrote it ({way})", {line.get("logger") for line in lines}, {"gunicorn.error"}, show=JOURNAL)
        levels = {line.get("level") for line in lines}
        see.exactly(f"whether it is told as an error ({way})", levels <= {"error", "critical"}, True, show=f"{JOURNAL} -p 3")


@probe("LOG-003", touches=("gunicorn: error log",))
def what_gunicorn_itself_says_goes_to_a_file_that_nobody_reads(host: Host) -> None:
    host.replace(CONFIGURATION, 'errorlog = "-"', 'errorlog = "/dev/null"')
    restart_application(host)


@control("HOST-007", active=True)
def test_an_error_is_one_record_and_the_visitor_has_its_id(host: Host, see: Witness) -> None:
    day = walk(host)
    page, lines = day["error"], day["told"]["error"]
    show = f"{JOURNAL} | grep ID"
    see.exactly("status of a page that failed", page["status"], 500)
    see.exactly("words of the inside on it", page["words of a debugging page"], [])
    see.exactly("length of the id on it", len(page["id"]), 32)
    records = [line for line in lines["application"] if line.get("level") == "error"]
    see.exactly("records of it in the journal", [line.get("logger") for line in records], ["django.request"], show=show)
    see.exactly("their id", {line.get("request_id") for line in records}, {page["id"]}, show=show)
    traceback = "".join(str(line.get("traceback", "")) for line in records)
    told = "Traceback" in traceback and "InvalidTag" in traceback and "totp.py" in traceback
    see.exactly("the traceback says what failed and where", told, True, show=show)
    see.exactly("secrets in the record", day["secrets in the record of the error"], [], show=show)
    see.exactly("the code that was given, which is in a local variable, is in it", "314159" in traceback, False, show=show)
    status = [line.get("status") for line in lines["nginx"]]
    see.exactly("the same id in nginx's log, with the status", status, [500], show="sudo grep ID /var/log/nginx/access.log")


@probe("HOST-007", touches=("settings: logging",))
def errors_are_too_many_for_the_log(host: Host) -> None:
    patch_application(
        host, "settings.py", '"django": {"handlers": ["stderr"], "level": "INFO"', '"django": {"handlers": ["stderr"], "level": "CRITICAL"'
    )


def neighbourhoods(addresses: list[str]) -> set[str]:
    """What counts as one address: of IPv6 the network of 64 bits."""
    return {str(ipaddress.ip_network((one, 64), strict=False).network_address) if ":" in one else one for one in addresses}
