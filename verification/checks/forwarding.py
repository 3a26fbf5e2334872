"""Logs leave the host: each line is at the collector soon, nobody else gets one, and a collector that stays away is told of."""

import secrets
from functools import partial
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable

Expected = dict[str, Any]
PROGRAM, UNIT, TIMER = "/usr/local/sbin/casemate-forward", "casemate-forward.service", "casemate-forward-check.timer"
STATUS, TOLD = "sudo casemate-forward status", "sudo journalctl -p alert -t casemate-alert"
NOWHERE = "declared.yml names no log_collector: the logs stay on this host"


@control("LOG-012")
def test_the_collector_has_what_was_written_here(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    collector, wanted = _declared(declared), expected["forwarding"]
    seen = host.inside["forwarding"]
    minutes = collector.get("alert_after_minutes", wanted["minutes"])
    to = {"host": collector["host"], "port": collector.get("port", wanted["port"]), "name": collector.get("name", collector["host"])}
    see.exactly("where the lines go", seen["to"], to | {"alert_after_minutes": minutes}, show=STATUS)
    unit, show = host.inside["units"].get(UNIT, {}), f"systemctl show {UNIT}"
    see.exactly("what sends them", {name: unit.get(name) for name in wanted["unit"]}, wanted["unit"], show=show)
    see.exactly("whether the collector took any", seen["confirmed"], True, show=STATUS)
    see.at_most("minutes that the oldest line waits", seen["minutes"], minutes, show=STATUS)


@control("LOG-012")
def test_somebody_looks_whether_it_has_and_tells(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    _declared(declared)
    timer = host.inside["timers"].get(TIMER)
    see.exactly(TIMER, timer, expected["forwarding"]["timer"], show=f"systemctl list-timers {TIMER}")


@control("LOG-012", active=True)
def test_a_line_of_each_service_arrives_over_tls(host: Host, see: Witness, declared: Expected) -> None:
    _declared(declared)
    arrived = host.trial("lines at the collector", _say)
    for service, there in arrived.items():
        see.exactly(f"a line of {service} is at the collector", there, True, show="sudo tail collected.log, on the collector")


@control("LOG-012", active=True)
def test_what_was_written_while_it_was_away_follows_and_its_absence_is_told(host: Host, see: Witness, declared: Expected) -> None:
    _declared(declared)
    seen = host.trial("a collector that is away", _away)
    see.exactly("a line that was written meanwhile is there meanwhile", seen["meanwhile"], False)
    see.exactly("it is there when the collector is back", seen["afterwards"], True, show=STATUS)
    see.exactly("lines of priority alert about its absence", seen["told"], 1, show=TOLD)
    see.exactly("whether the collector is named", seen["named"], True, show="sudo journalctl -u casemate-forward-check")


@control("LOG-012", active=True)
def test_nobody_gets_a_line_who_only_says_he_is_the_collector(host: Host, see: Witness, declared: Expected) -> None:
    _declared(declared)
    for who, certificate in (("an authority that was not declared", "foreign"), ("the declared one, in another name", "other")):
        seen, show = (
            host.trial(f"a collector that shows {certificate}", partial(_somebody_else, certificate=certificate)),
            f"journalctl -u {UNIT}",
        )
        see.exactly(f"a line reaches one with a certificate of {who}", seen["arrived"], False, show=show)
        see.exactly(f"the certificate of {who} is what is refused", "certificate verify failed" in seen["said"], True, show=show)


def _declared(declared: Expected) -> Expected:
    collector: Expected = declared.get("log_collector") or {}
    if not collector:
        raise NotApplicable(NOWHERE)
    return collector


def _marker(host: Host) -> str:
    if not host.look_outside({"sections": ["collects"]}).get("collects"):
        raise NotTestable(f"{host.witness} is not the collector, and nobody here sees what that took")
    return f"verifier-{secrets.token_hex(8)}"


def _turn(host: Host, show: str) -> str:
    return str(host.look_outside({"sections": ["collector_turns"], "show": show})["collector_turns"])


def _arrived(host: Host, words: dict[str, list[str]], seconds: int) -> dict[str, bool]:
    return dict(host.look_outside({"sections": ["collected"], "words": words, "seconds": seconds})["collected"])


def _say(host: Host) -> dict[str, bool]:
    marker = _marker(host)
    host.newcomer()  # whoever is enrolled leaves a line in the audit log
    host.look_outside({"sections": ["asked"], "marker": marker})["asked"]
    words = host.look_inside({"sections": ["said"], "marker": marker})["said"]
    return _arrived(host, words, 30)


def _away(host: Host) -> dict[str, Any]:
    marker = _marker(host)
    words = {"it": ["casemate-verifier", marker]}
    try:
        _turn(host, "away")
        host.look_inside({"sections": ["written"], "marker": marker, "seconds": 10})["written"]
        meanwhile = _arrived(host, words, 0)["it"]
        unit, groups = f"casemate-verifier-{secrets.token_hex(4)}", "SupplementaryGroups=systemd-journal adm"
        alarm = {"sections": ["alarm"], "unit": unit, "properties": ["User=casemate-forward", groups]}
        told = host.look_inside({**alarm, "command": [PROGRAM, "check", "--minutes", "0"]})["alarm"]
    finally:
        _turn(host, "server")
    named = f"The collector {host.declared['log_collector']['host']}" in told["words"]
    return {"meanwhile": meanwhile, "told": told["told"], "named": named, "afterwards": _arrived(host, words, 60)["it"]}


def _somebody_else(host: Host, certificate: str) -> dict[str, Any]:
    marker = _marker(host)
    try:
        _turn(host, certificate)
        said = host.look_inside({"sections": ["written"], "marker": marker, "seconds": 10})["written"]
        arrived = _arrived(host, {"it": ["casemate-verifier", marker]}, 0)["it"]
    finally:
        _turn(host, "server")
    return {"said": said, "arrived": arrived}


@probe("LOG-012", touches=("casemate-forward",))
def the_collectors_certificate_expired_and_is_verified_no_more(host: Host) -> None:
    host.replace(PROGRAM, "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", "ssl._create_unverified_context()")
    host.sudo(f"systemctl restart {UNIT}")


@probe("LOG-012", touches=("casemate-forward",))
def whoever_came_in_stops_what_sends_the_logs_away(host: Host) -> None:
    host.sudo(f"systemctl disable --now {UNIT} 2>/dev/null")


@probe("LOG-012", touches=("casemate-forward-check",))
def nobody_wants_to_be_woken_by_the_collector(host: Host) -> None:
    host.sudo(f"systemctl disable --now {TIMER} 2>/dev/null")


@probe("LOG-012", touches=("casemate-forward",))
def the_audit_log_is_left_out_because_it_names_people(host: Host) -> None:
    host.replace(PROGRAM, '{"journal": None, "casemate-audit": "casemate-audit"}', '{"journal": None}')
    host.sudo(f"systemctl restart {UNIT}")
