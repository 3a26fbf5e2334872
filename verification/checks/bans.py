"""Who guesses is shut out: the observer guesses, and notices; fail2ban's own word counts for nothing."""

import re
import socket
from pathlib import Path
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
# As the verifier wants a ban to be felt; measured in the lab: 1 to 2 s.
SECONDS = 10.0
BEFORE = '{"time": "2026-11-22T10:03:00.123+00:00", "level": "warning", "logger": "'
SIGN_IN = 'casemate.sign_in", "message": "sign-in refused", "address": "'
AFTER = '", "reason": "wrong password", "person": "alice@acme.example"}'
# What must be seen, and by which address.
FAILURES = {f"{BEFORE}{SIGN_IN}{address}{AFTER}": address for address in ("203.0.113.9", "2001:db8::9")}
# What a stranger could have written, or what only looks like it.
FORGED = f"{BEFORE}{SIGN_IN}198.51.100.1{AFTER}"
HARMLESS = (
    f"{FORGED} ",
    f"x {FORGED}",
    FORGED.replace("warning", "info"),
    FORGED.replace("casemate.sign_in", "casemate.request"),
    FORGED.replace("casemate.sign_in", "casemateXsign_in"),
    FORGED.replace("sign-in refused", "sign-in accepted"),
    FORGED.replace("198.51.100.1", "host.example"),
    FORGED.replace('"}', '", "address": "198.51.100.1"}'),
    FORGED.replace('"address"', '"address": "192.0.2.1", "address"'),
    f'{BEFORE}django.request", "message": "{FORGED.replace(chr(34), chr(92) + chr(34))}"}}',
    f"[2026-11-22 10:03:00 +0000] [7] [WARNING] Invalid request: {FORGED}",
)


def others_are_served(address: str) -> bool:
    """Whether the controller, who guessed nothing, is let in."""
    try:
        socket.create_connection((address, 443), 5).close()
    except OSError:
        return False
    return True


@control("BAN-004")
def test_the_jail_knows_a_failed_sign_in_and_nothing_else(host: Host, see: Witness, expected: Expected) -> None:
    jails = host.inside["jails"]
    see.exactly("jails", set(jails), set(expected["jails"]), show="sudo fail2ban-client status")
    ours = jails.get("casemate", {"failregex": [], "journalmatch": ""})
    see.exactly(
        "whose lines are read",
        ours["journalmatch"],
        "_SYSTEMD_UNIT=casemate.service",
        show="sudo fail2ban-client get casemate journalmatch",
    )
    show = "sudo fail2ban-client get casemate failregex"
    found = {line: _address(ours["failregex"], line) for line in FAILURES}
    see.exactly("addresses found in the lines of failed sign-ins", list(found.values()), list(FAILURES.values()), show=show)
    see.exactly(
        "harmless or forged lines that it takes for one", [line for line in HARMLESS if _address(ours["failregex"], line)], [], show=show
    )


def _address(expressions: list[str], line: str) -> str:
    """The address that the jail would ban for a line, seen with the host and the program in front; "?" where it names none."""
    for expression in expressions:
        if match := re.search(expression, f"casemate gunicorn[7]: {line}\n"):
            return next((value for name, value in match.groupdict().items() if name in ("ip4", "ip6") and value), "?")
    return ""


@control("BAN-004", active=True)
def test_a_failed_sign_in_leaves_its_line_with_the_true_address(host: Host, see: Witness) -> None:
    search = "journalctl -u casemate -o cat --since=-30s | grep 'sign-in refused' | tail -n 1"

    def attempt(host: Host) -> dict[str, Any]:
        host.do_not_count()
        # Whoever was shut out by a look before this one reaches no page.
        host.let_in()
        answers = host.look_outside({"sections": ["wrong_sign_ins"], "guesses": 1, "knock": False})["wrong_sign_ins"]["answers"]
        line = host.sudo(f'for try in $(seq 20); do line=$({search}); [ -z "$line" ] || break; sleep 0.5; done; echo "$line"').stdout
        return {"answers": answers, "address": _address([WORDING], line.strip()), "from": host.seen_from()}

    seen = host.trial("a wrong sign-in", attempt)
    see.one_of("address in the line of a wrong sign-in", seen["address"], seen["from"], show=f"sudo {search}")


WORDING = r'"message": "sign-in refused", "request_id": "[0-9a-f]{32}", "address": "(?P<ip4>[^"]*)", "reason"'


@probe("BAN-004", touches=("fail2ban: filter",), spoils=("BAN-002",))
def the_log_line_is_worded_anew_and_nobody_tells_the_jail(host: Host) -> None:
    host.sudo(
        "sed -i 's/sign-in refused/sign-in failed/' /etc/fail2ban/filter.d/casemate.conf && systemctl restart fail2ban && "
        "for try in $(seq 50); do fail2ban-client status casemate >/dev/null 2>&1 && break; sleep 0.1; done"
    )


@control("BAN-002", active=True)
def test_who_guesses_at_the_site_feels_the_ban(host: Host, see: Witness, declared: Expected) -> None:
    address = declared["site_addresses"][0]

    def attempt(host: Host) -> dict[str, Any]:
        host.count_again()
        host.let_in()
        try:
            guesses = host.look_outside({"sections": ["wrong_sign_ins"], "guesses": 5, "knock": True})["wrong_sign_ins"]
            seen = {"felt": guesses["shut_out_after"], "open to the banned": _open(host, address), "others": others_are_served(address)}
            host.let_in()
            host.ban("casemate")
            seen["open after a ban by command"] = _open(host)
        finally:
            host.lift_bans()
        return seen | {"shut after the release": _shut(host)}

    seen = host.trial("five wrong sign-ins", attempt)
    see.at_most("seconds from the fifth wrong sign-in until nobody answers", _felt(seen), SECONDS, show="docs/attacks.md")
    see.exactly("doors that are open to the banned", seen["open to the banned"], [], show="sudo nft list set inet casemate banned4")
    see.exactly("others are served", seen["others"], True)
    show = "sudo fail2ban-client set casemate banip ADDRESS"
    see.exactly("doors that are open after a ban by command", seen["open after a ban by command"], [], show=show)
    see.exactly("doors that are shut after the release", seen["shut after the release"], [], show="sudo casemate-ban ADDRESS --lift")


def _felt(seen: dict[str, Any]) -> float:
    return PATIENT if seen["felt"] is None else float(seen["felt"])


PATIENT = 999.0  # nobody was shut out at all


def _doors(host: Host) -> dict[str, bool]:
    doors: dict[str, bool] = host.look_outside({"sections": ["doors"], "ports": [80, 443]})["doors"]
    return doors


def _open(host: Host, at: str = "") -> list[str]:
    return sorted(door for door, opens in _doors(host).items() if opens and door.startswith(f"[{at}]" if at else "["))


def _shut(host: Host) -> list[str]:
    return sorted(door for door, opens in _doors(host).items() if not opens)


@probe("BAN-002", touches=("fail2ban: jail casemate",))
def the_jail_of_the_site_becomes_patient_after_a_complaint(host: Host) -> None:
    host.sudo(r"sed -i '/^\[casemate\]/a maxretry = 500' /etc/fail2ban/jail.local && systemctl restart fail2ban && sleep 2")


@control("BAN-001", active=True)
def test_who_guesses_at_ssh_feels_the_ban(host: Host, see: Witness, declared: Expected) -> None:
    """SSH answers the observer for a moment, as it answers the world where operators come from anywhere."""
    address = declared["site_addresses"][0]

    def attempt(host: Host) -> dict[str, Any]:
        host.count_again()
        observer = host.seen_from()
        host.lift_bans()
        host.sudo("; ".join(f"nft add element inet casemate admins{6 if ':' in one else 4} {{ {one} }}" for one in observer))
        try:
            guesses = host.look_outside({"sections": ["ssh_guesses"], "guesses": 8})["ssh_guesses"]
            seen = {"refused": guesses["answers"].count("refused"), "felt": guesses["shut_out_after"]}
            return seen | {"open to the banned": _open(host, address), "others": others_are_served(address)}
        finally:
            # A guess that the ban cut off fails half a minute later, when sshd gives up on it, and would be the next ban.
            host.do_not_count()
            host.lift_bans()
            host.sudo("systemctl reload nftables")

    seen = host.trial("guesses at SSH", attempt)
    see.at_least("guesses that sshd itself refused", seen["refused"], 1, show="ssh nobody@HOST")
    see.at_most("seconds from the last guess until nobody answers", _felt(seen), SECONDS, show="docs/attacks.md")
    see.exactly("doors that are open to the banned", seen["open to the banned"], [], show="sudo nft list set inet casemate banned4")
    see.exactly("others are served", seen["others"], True)


@probe("BAN-001", touches=("fail2ban: jail sshd",), spoils=("BAN-002", "BAN-004", "HOST-003", "HOST-004", "LOG-001"))
def ssh_logs_to_a_file_again_and_the_jail_reads_it(host: Host) -> None:
    host.sudo(
        r"sed -i '/^\[sshd\]/a backend = auto\nlogpath = /var/log/auth.log' /etc/fail2ban/jail.local && touch /var/log/auth.log && "
        "chmod 0640 /var/log/auth.log && chgrp adm /var/log/auth.log && systemctl restart fail2ban && sleep 2"
    )


@control("BAN-003")
def test_bans_are_looked_at_before_anybody_is_let_in(host: Host, see: Witness, expected: Expected) -> None:
    rules = [entry["rule"] for entry in host.inside["ruleset"] if "rule" in entry and entry["rule"]["chain"] == "input"]
    verdicts = [("drop" if any("drop" in part for part in rule["expr"]) else "accept", _sets(rule)) for rule in rules]
    show = "sudo nft list chain inet casemate input"
    first = [names for _verdict, names in verdicts[: len(expected["rules_first"])]]
    see.exactly("the first rules, by the sets they ask", first, [set(names) for names in expected["rules_first"]], show=show)
    see.exactly("what they do", [verdict for verdict, _names in verdicts[: len(first)]], expected["verdicts_first"], show=show)


def _sets(rule: dict[str, Any]) -> set[str]:
    """The named sets that a rule asks."""
    asked = [part["match"]["right"] for part in rule["expr"] if "match" in part]
    return {name.removeprefix("@") for name in asked if isinstance(name, str) and name.startswith("@")}


@control("BAN-003", active=True)
def test_one_command_shuts_an_address_out_and_lets_it_in_again(host: Host, see: Witness, declared: Expected) -> None:
    def attempt(host: Host) -> dict[str, Any]:
        observer, seen = host.seen_from(), {}
        host.lift_bans()
        try:
            for address in observer:
                host.sudo(f"casemate-ban {address} --for 10m")
            seen["after the command"] = _open(host)
            for verb in ("reload", "restart"):
                host.sudo(f"systemctl {verb} nftables")
                seen[f"after a {verb} of the firewall"] = _open(host)
            others = others_are_served(declared["site_addresses"][0])
        finally:
            host.lift_bans()
        statuses = {
            wrong: host.connection.run(f"sudo casemate-ban {wrong}").status for wrong in ("nonsense", "203.0.113.0/24", "127.0.0.1")
        }
        return {"open": seen, "others": others, "shut after the release": _shut(host), "refused": statuses}

    seen = host.trial("a ban by hand", attempt)
    for when, doors in seen["open"].items():
        see.exactly(f"doors that are open {when}", doors, [], show="sudo casemate-ban ADDRESS --for 10m")
    see.exactly("moments at which the doors were tried", len(seen["open"]), 3)
    see.exactly("others are served", seen["others"], True)
    see.exactly("doors that are shut after the release", seen["shut after the release"], [], show="sudo casemate-ban ADDRESS --lift")
    wanted = {"nonsense": 2, "203.0.113.0/24": 2, "127.0.0.1": 2}
    see.exactly("exit status of what cannot be banned", seen["refused"], wanted, show="sudo casemate-ban nonsense")


@probe("BAN-003", touches=("nftables: input",), spoils=("BAN-001", "BAN-002"))
def the_drop_is_appended_after_the_accept_as_one_finds_it_on_the_web(host: Host) -> None:
    host.sudo(
        "for set in banned4 blocked4; do handle=$(nft -a list chain inet casemate input | grep \"@$set drop\" | grep -o '[0-9]*$'); "
        'nft delete rule inet casemate input handle "$handle"; nft add rule inet casemate input ip saddr @$set drop; done'
    )


@control("OPS-008", active=True)
def test_the_commands_of_the_page_work_as_they_stand_there(host: Host, see: Witness, repository: Path) -> None:
    commands = re.findall(r"^```\n(.*?)\n```$", (repository / "docs" / "attacks.md").read_text(), re.MULTILINE | re.DOTALL)

    def attempt(host: Host) -> dict[str, Any]:
        """In the page's order: the search (grep's 1 says that it found nobody), two ways to shut out, the way back in."""
        ran = {}
        for command in commands:
            status = host.connection.run(command).status
            held = host.connection.run("sleep 1.5; sudo nft list table inet casemate | grep -cF 203.0.113.9").stdout.strip()
            ran[command] = {"status": 0 if status == 1 and "grep" in command else status, "shut out": held != "0"}
        wrong = host.connection.run("sudo casemate-ban 203.0.113.999 --for 7d").status
        # Where the page's way back in does not work, the ban by fail2ban would stay.
        host.sudo("fail2ban-client set casemate unbanip 203.0.113.9 >/dev/null 2>&1 || true")
        return {"ran": ran, "wrong": wrong}

    seen = host.trial("the commands of the page", attempt)
    see.at_least("commands of the page that were run", len(seen["ran"]), 4, show="docs/attacks.md")
    for command in commands:
        wanted = {"status": 0, "shut out": "--for" in command or "banip" in command}
        see.exactly(f"after `{command}`", seen["ran"].get(command), wanted, show=command)
    see.exactly("exit status for an address that is none", seen["wrong"], 2, show="sudo casemate-ban 203.0.113.999")


@probe("OPS-008", touches=("casemate-ban",), spoils=("BAN-001", "BAN-002", "BAN-003"))
def the_command_was_replaced_by_a_note_to_write_it(host: Host) -> None:
    host.sudo("printf '#!/bin/sh\\necho to be written\\n' > /usr/local/sbin/casemate-ban")
