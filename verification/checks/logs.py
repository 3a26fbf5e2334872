"""The logs that are files: how they turn, what becomes of them then, and who can read them."""

import secrets
from pathlib import Path
from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
TURN = "sudo logrotate --force /etc/logrotate.d/nginx"
ROTATION = "/etc/logrotate.d/nginx"


def turned(host: Host) -> dict[str, Any]:
    """What a turn of the logs did, made once a verification."""
    parameters = {"sections": ["rotation"], "site": host.site, "marker": f"verifier-{secrets.token_hex(6)}"}
    return host.trial("a turn of the logs", lambda host: dict(host.look_inside(parameters)["rotation"]))


@control("LOG-005")
def test_logs_turn_daily_and_thirty_are_kept(host: Host, see: Witness, expected: Expected) -> None:
    see.exactly(
        "how logrotate understands it", host.inside["rotation_policy"], expected["rotation"]["policy"], show=f"logrotate -d {ROTATION}"
    )
    timer = host.inside["timers"].get("logrotate.timer", {})
    see.exactly("its timer", {key: timer.get(key) for key in ("enabled", "state")}, {"enabled": "enabled", "state": "active"})
    deleting = host.inside["as_accounts"]["app"]["delete an event"]
    see.exactly("deleting from the audit log, which is kept longer", deleting, "refused 1142", show="casemate dbshell")


@control("LOG-005", active=True)
def test_after_a_turn_thirty_old_ones_are_there(host: Host, see: Witness) -> None:
    see.exactly("old logs after more turns than are kept", turned(host)["generations"], 30, show=TURN)


@probe("LOG-005", touches=("logrotate: rotate",))
def only_a_week_is_kept_to_save_the_disk(host: Host) -> None:
    host.replace(ROTATION, "rotate 30", "rotate 7")


@control("LOG-006", active=True)
def test_the_newest_old_log_is_plain_and_the_others_are_compressed(host: Host, see: Witness) -> None:
    turn = turned(host)
    see.exactly("access.log.1 is plain text with its line", turn["newest is plain"], True, show=TURN)
    see.exactly("access.log.2.gz is gzip with its line", turn["the one before is gzip with its line"], True, show=TURN)


@probe("LOG-006", touches=("logrotate: compress",), spoils=("LOG-005",))
def compression_is_switched_off_to_search_faster(host: Host) -> None:
    host.replace(ROTATION, "    compress\n", "    nocompress\n")


@control("LOG-007", active=True)
def test_an_empty_log_makes_no_generation(host: Host, see: Witness) -> None:
    see.exactly("new old logs of an empty one", turned(host)["new generations of the empty log"], [], show=TURN)


@probe("LOG-007", touches=("logrotate: notifempty",), spoils=("LOG-005",))
def empty_logs_are_turned_too(host: Host) -> None:
    host.replace(ROTATION, "    notifempty\n", "    ifempty\n")


@control("LOG-008", active=True)
def test_a_fresh_log_is_as_closed_as_the_old_one(host: Host, see: Witness, expected: Expected) -> None:
    see.exactly("the fresh access.log", turned(host)["fresh file"], expected["rotation"]["file"], show="stat /var/log/nginx/access.log")


@control("LOG-008")
def test_the_logs_of_nginx_have_their_owner_and_mode(host: Host, see: Witness, expected: Expected) -> None:
    files = host.inside["logs"]["files"]
    folder = files.get("/var/log/nginx", "absent")
    see.exactly("the folder", folder, expected["rotation"]["folder"], show="stat /var/log/nginx")
    others = {Path(path).name: mode for path, mode in files.items() if path != "/var/log/nginx"}
    see.exactly("files in it", others, dict.fromkeys(others, expected["rotation"]["file"]), show="ls -l /var/log/nginx")
    see.at_least("files that were looked at", len(others), 2)


@probe("LOG-008", touches=("logrotate: create",), spoils=("LOG-013",))
def fresh_logs_are_made_for_everybody(host: Host) -> None:
    host.replace(ROTATION, "create 0640 www-data adm", "create 0644 www-data adm")


@control("LOG-009", active=True)
def test_after_a_turn_nginx_writes_into_the_new_file(host: Host, see: Witness) -> None:
    turn = turned(host)
    see.exactly("a new request is in the new file", turn["new line in the new file"], True, show=TURN)
    see.exactly("a new request is in the old file", turn["new line in the old file"], False, show=TURN)
    see.exactly("old files that a process holds open", turn["open old files"], [], show="sudo lsof /var/log/nginx/access.log.1")


@probe("LOG-009", touches=("logrotate: postrotate",), spoils=("LOG-005", "LOG-006", "LOG-007", "LOG-008"))
def nobody_tells_nginx_that_its_log_was_turned(host: Host) -> None:
    host.sudo(f"sed -i 's#^ *[/]usr/bin/systemctl kill.*#        true#' {ROTATION}")


@control("LOG-013")
def test_nobody_reads_logs_who_need_not(host: Host, see: Witness, expected: Expected) -> None:
    readable = set(host.inside["logs"]["read by nobody"])
    allowed = {path for path in readable if any(Path(path).match(pattern) for pattern in expected["logs_for_everybody"])}
    see.exactly("logs that the account nobody reads", readable - allowed, set(), show="sudo -u nobody find /var/log -type f -readable")
    # The packages that are installed are no secret: dpkg tells everybody. That this was looked at at all is seen by them.
    see.exactly(
        "dpkg.log, which everybody may read, was read", "/var/log/dpkg.log" in readable, True, show="sudo -u nobody cat /var/log/dpkg.log"
    )


@probe("LOG-013", touches=("log of apt's terminal",))
def the_log_of_upgrades_is_opened_for_a_statistics_program(host: Host) -> None:
    host.sudo("chmod o+r /var/log/apt/term.log")


@control("LOG-017", active=True)
def test_the_search_of_the_page_finds_a_failed_sign_in(host: Host, see: Witness, repository: Path) -> None:
    page = (repository / "docs" / "attacks.md").read_text()
    search = next((line for line in page.splitlines() if line.startswith("sudo journalctl")), "false")

    def attempt(host: Host) -> dict[str, Any]:
        host.do_not_count()
        lines = [len(host.connection.run(search).stdout.splitlines())]
        host.look_outside({"sections": ["answers"]})["answers"]  # pages that are seen, and refusals that are no failed sign-in
        lines.append(len(host.connection.run(f"sleep 0.5; {search}").stdout.splitlines()))
        host.look_outside({"sections": ["wrong_sign_ins"], "guesses": 1, "knock": False})["wrong_sign_ins"]
        lines.append(len(host.connection.run(f"sleep 0.5; {search}").stdout.splitlines()))
        return {"lines": lines}

    first, second, third = host.trial("the search of the page", attempt)["lines"]
    see.exactly("lines that many other requests added", second - first, 0, show=search)
    see.exactly("lines that one failed sign-in added", third - second, 1, show=search)


@probe("LOG-017", touches=("casemate.service: log",), spoils=("BAN-001", "BAN-002", "BAN-004"))
def the_application_stops_logging_warnings(host: Host) -> None:
    patch_application(host, "accounts/views.py", 'log.warning("sign-in refused"', 'log.debug("sign-in refused"')
