"""The checks of the application's log, on facts of our own making: each can pass, and each is red where it should be."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from verification import expectations
from verification.checks import jails, requests_logged, secrets_logged
from verification.host import Facts, Host
from verification.inventory import ROOT
from verification.rehearsal import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, State

EXPECTED = expectations.load("baseline", {})
TAG, ID = "0123456789ab", "0123456789abcdef" * 2
CAROL = f"carol-{TAG}@casemate.invalid"
ADDRESS = "192.0.2.7"
GIVEN = EXPECTED["read_inside"]
HOSTILE = secrets_logged.HOSTILE.replace("TAG", TAG)
COMMAND = f"sudo casemate-ban {ADDRESS} --for 7d"
ENTRY = ["2026-11-22 10:03 UTC", CAROL, ADDRESS, "the first of this person", "2 sign-ins", f"to shut it out: {COMMAND}"]
Check = Callable[..., None]


def line(logger: str, message: str, **more: Any) -> dict[str, Any]:
    named = {"time": "2026-11-22T10:03:00.123+00:00", "level": "warning", "logger": logger, "message": message, "request_id": ID}
    return {**named, **more, "arrived": 1795341780.3, "text": TAG}


def request(method: str, path: str) -> dict[str, Any]:
    return line("gunicorn.access", "request", address=ADDRESS, method=method, path=path, status=404, bytes=9, ms=3)


def refused(person: str) -> dict[str, Any]:
    return line("casemate.sign_in", "sign-in refused", address=ADDRESS, reason="wrong password", person=person)


def a_day() -> dict[str, Any]:
    traceback = 'Traceback (most recent call last):\n  File "totp.py"\ncryptography.exceptions.InvalidTag'
    error = line("django.request", "Internal Server Error: /sign-in/verify/", level="error", traceback=traceback)
    kinds = ("password", "wrong password", "seed", "session key 1", "session key 2", "enrolment link", "cookie", "body")
    path = "/o/<slug:organization>"
    return {
        "tag": TAG,
        "from": [ADDRESS, "2001:db8::7"],
        "new addresses": [ENTRY],
        "seen": {
            "a page that is not hers": 403,
            "an action that is not hers": 403,
            "another organisation": 404,
            "wrong password": 200,
            "hostile name": 200,
            "doors": ["/sign-in/"],
            "code": "/",
        },
        "error": {"status": 500, "id": ID, "words of a debugging page": []},
        "secrets in the record of the error": [],
        "searched": [*kinds, "api key", "api key in the query", "query of the error"],
        "codes": 2,
        "told": {
            "person": {"application": [refused(CAROL)], "nginx": []},
            "forged": {"application": [refused(HOSTILE)], "nginx": []},
            "error": {"application": [error], "nginx": [{"status": 500, "request_id": ID}]},
            "strangers": {"application": [line("casemate.refused", "stranger refused", address=ADDRESS, times=10)], "nginx": []},
        },
        "in the logs": {"files": 9, "found": {"the journal": ["marker"], "/var/log/nginx/access.log": ["marker"]}},
        "events": [
            {"action": "organizations.access.refuse", "success": 0, "path": f"{path}/audit/"},
            {"action": "organizations.access.refuse", "success": 0, "path": f"{path}/vault/new/"},
            {"action": "accounts.sign_in", "success": 1, "path": "/sign-in/verify/"},
            {"action": "organizations.access.unknown", "success": 0, "path": f"{path}/vault/"},
        ],
    }


def marked() -> dict[str, Any]:
    path = f"/marked-{TAG}"
    return {
        "marker": path[1:],
        "marks": {},
        "statuses": [404, 404, 404],
        "told": {
            "application": [request("GET", f"{path}/"), request("POST", f"{path}/"), request("GET", f"{path}\u2028broken")],
            "nginx": [{"request_id": ID}],
        },
        "found": {"the journal": ["marker"]},
        "from": [ADDRESS],
    }


LINE: list[tuple[tuple[Any, ...], Any]] = [
    (("told", "application"), []),
    (("told", "application", 0, "address"), "127.0.0.1"),
    (("told", "application", 1, "query"), "x=1"),
    (("told", "application", 0, "arrived"), 2e9),
    (("told", "application", 2), {"text": "broken"}),
    (("told", "nginx", 0, "request_id"), "another"),
    (("statuses",), [404, 403, 404]),
    (("found", "the journal"), ["cookie", "marker"]),
]


def test_the_line_of_a_request_says_who_asked_and_no_more() -> None:
    check = requests_logged.test_each_request_is_a_line_with_who_asked_and_without_what
    assert judged(check, tried={"marked requests": marked()}) == {State.PASS}


@pytest.mark.parametrize(("path", "to"), LINE)
def test_a_line_of_a_request_that_says_too_little_or_too_much_is_seen(path: tuple[Any, ...], to: Any) -> None:
    check = requests_logged.test_each_request_is_a_line_with_who_asked_and_without_what
    assert State.FAIL in judged(check, tried={"marked requests": altered(marked(), *path, to=to)})


def judged(check: Check, *, tried: dict[str, Any] | None = None, inside: dict[str, Any] | None = None, **more: Any) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = tried or {}
    host.inside = Facts({name: {"value": value} for name, value in (inside or {}).items()})
    given = {"host": host, "see": see, "expected": EXPECTED, "declared": {"site_addresses": [ADDRESS], **more}, "repository": ROOT}
    check(**{name: given[name] for name in check.__code__.co_varnames[: check.__code__.co_argcount]})
    return {observation.state for observation in see.observations}


def altered(day: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    changed = copy.deepcopy(day)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return changed


ALTERATIONS: list[tuple[Check, tuple[Any, ...], Any]] = [
    (requests_logged.test_an_error_is_one_record_and_the_visitor_has_its_id, ("told", "error", "application"), []),
    (requests_logged.test_an_error_is_one_record_and_the_visitor_has_its_id, ("error", "id"), ""),
    (requests_logged.test_an_error_is_one_record_and_the_visitor_has_its_id, ("secrets in the record of the error",), ["seed"]),
    (
        requests_logged.test_an_error_is_one_record_and_the_visitor_has_its_id,
        ("told", "error", "application", 0, "traceback"),
        "code=314159",
    ),
    (secrets_logged.test_no_secret_of_a_visit_is_in_any_log, ("in the logs", "found", "/var/log/mysql/error.log"), ["password"]),
    (secrets_logged.test_no_secret_of_a_visit_is_in_any_log, ("in the logs", "found", "the journal"), ["marker", "session key 2"]),
    (secrets_logged.test_no_secret_of_a_visit_is_in_any_log, ("in the logs", "found", "the journal"), []),
    (secrets_logged.test_no_secret_of_a_visit_is_in_any_log, ("searched",), ["password"]),
    (secrets_logged.test_a_wrong_password_is_one_line_with_who_where_and_why, ("told", "person", "application"), []),
    (
        secrets_logged.test_a_wrong_password_is_one_line_with_who_where_and_why,
        ("told", "person", "application"),
        [refused(CAROL), refused(CAROL)],
    ),
    (
        secrets_logged.test_a_wrong_password_is_one_line_with_who_where_and_why,
        ("told", "forged", "application", 0, "address"),
        "198.51.100.1",
    ),
    (secrets_logged.test_a_wrong_password_is_one_line_with_who_where_and_why, ("told", "forged", "application"), [{"text": TAG}]),
    (secrets_logged.test_a_refusal_is_recorded, ("events",), []),
    (secrets_logged.test_a_refusal_is_recorded, ("events", 1, "success"), 1),
    (secrets_logged.test_a_refusal_is_recorded, ("seen", "an action that is not hers"), 200),
    (secrets_logged.test_a_refusal_is_recorded, ("told", "strangers", "application", 0, "times"), 9),
    (secrets_logged.test_a_refusal_is_recorded, ("told", "strangers", "application", 0, "address"), "203.0.113.1"),
]


@pytest.mark.parametrize("check", sorted({alteration[0] for alteration in ALTERATIONS}, key=str))
def test_the_checks_of_a_walk_pass_where_all_is_well(check: Check) -> None:
    assert judged(check, tried={"a walk with secrets": a_day()}) == {State.PASS}


@pytest.mark.parametrize(("check", "path", "to"), ALTERATIONS)
def test_the_checks_of_a_walk_are_red_where_something_is_wrong(check: Check, path: tuple[Any, ...], to: Any) -> None:
    assert State.FAIL in judged(check, tried={"a walk with secrets": altered(a_day(), *path, to=to)})


READERS = {"files": 1, "accounts": ["admin"], "in adm": ["admin"], "nobody, as a member of adm": True, "services": ["fail2ban.service"]}


def test_who_reads_the_journal() -> None:
    check = requests_logged.test_only_root_and_the_administrators_read_the_journal
    assert judged(check, inside={"journal_readers": READERS}) == {State.PASS}
    for change in (
        {"accounts": ["admin", "www-data"]},
        {"services": ["fail2ban.service", "nginx.service"]},
        {"services": ["casemate-forward.service", "fail2ban.service"]},  # which nobody asked to send anything
        {"nobody, as a member of adm": False},
        {"files": 0},
    ):
        assert State.FAIL in judged(check, inside={"journal_readers": {**READERS, **change}})


def test_what_sends_the_logs_away_reads_the_journal_where_a_collector_is_declared() -> None:
    check = requests_logged.test_only_root_and_the_administrators_read_the_journal
    collector, sent = {"host": "192.0.2.20"}, {**READERS, "services": ["casemate-forward.service", "fail2ban.service"]}
    assert judged(check, inside={"journal_readers": sent}, log_collector=collector) == {State.PASS}
    assert State.FAIL in judged(check, inside={"journal_readers": READERS}, log_collector=collector)


def test_a_line_that_is_late_or_missing_is_seen() -> None:
    check = requests_logged.test_a_request_leaves_its_line_at_once
    assert judged(check, tried={"the line of a request": {"seconds": 0.1, "lines": [{}]}}) == {State.PASS}
    assert State.FAIL in judged(check, tried={"the line of a request": {"seconds": 10.0, "lines": []}})
    assert State.FAIL in judged(check, tried={"the line of a request": {"seconds": 2.5, "lines": [{}]}})


def test_no_line_is_asked_of_a_host_without_the_application() -> None:
    host = Host("db", Stage(an_inventory()).hosts[0].connection, frozenset({"db"}))
    with pytest.raises(NotApplicable):
        requests_logged.test_a_request_leaves_its_line_at_once(host, Witness())


def test_a_lost_worker_has_to_be_told_of() -> None:
    check = requests_logged.test_a_lost_worker_leaves_its_reason
    said = {"killed": [{"logger": "gunicorn.error", "level": "error"}], "timed out": [{"logger": "gunicorn.error", "level": "critical"}]}
    assert judged(check, tried={"lost workers": said}) == {State.PASS}
    assert State.FAIL in judged(check, tried={"lost workers": {**said, "killed": []}})
    assert State.FAIL in judged(check, tried={"lost workers": {**said, "timed out": [{"logger": "gunicorn.error", "level": "info"}]}})


def logged(mask: str = "[redacted]") -> list[dict[str, Any]]:
    """What the application makes of what the section has it log."""
    lines: list[dict[str, Any]] = []
    for name in GIVEN["logged_names"]:
        for spelled in (name, name.upper(), name.title()):
            ways = [f"case {spelled} at depth {depth}: {{'{spelled}': '{mask}', 'who': 'carol'}}" for depth in (1, 2, 3)]
            ways += [
                f"case {spelled} in the text: {spelled}={mask}, carol",
                f"case {spelled} in an address: https://x/?{spelled}={mask}&who=carol",
            ]
            lines += [{"message": way} for way in ways]
            lines += [{"message": f"case {spelled} as extra fields", "fields": {spelled: mask, "who": "carol"}}]
        lines.append({"message": f"case {name} in a traceback", "traceback": f"ValueError: {name}='{mask}' of carol"})
    lines += [{"message": f"harmless {name}: {{'{name}': '{GIVEN['logged_secret']}'}}"} for name in GIVEN["logged_harmless"]]
    return [*lines, *({"message": f"look {look}: it was [redacted] of carol"} for look in GIVEN["logged_looks"])]


BOTH = [secrets_logged.test_what_is_logged_is_stripped_whichever_way_it_came, secrets_logged.test_secrets_are_known_by_name_and_by_look]


@pytest.mark.parametrize("check", BOTH)
def test_masked_lines_pass_and_others_do_not(check: Check) -> None:
    assert judged(check, inside={"what_is_logged": logged()}) == {State.PASS}
    assert State.FAIL in judged(check, inside={"what_is_logged": logged(GIVEN["logged_secret"])})
    assert State.FAIL in judged(check, inside={"what_is_logged": []})


def test_a_harmless_name_that_is_masked_and_a_key_that_is_not_are_seen() -> None:
    too_much: list[dict[str, Any]] = [entry for entry in logged() if "harmless monkey" not in entry["message"]]
    assert State.FAIL in judged(BOTH[1], inside={"what_is_logged": too_much})
    value = GIVEN["logged_looks"]["a random token"]
    shown = [{"message": f"look a random token: it was {value} of carol"} if "a random token" in e["message"] else e for e in logged()]
    assert State.FAIL in judged(BOTH[1], inside={"what_is_logged": shown})


def found(jail: str) -> list[str]:
    return [entry["address"] for kind in jails.collection(jail).values() for entry in kind]


def test_the_jails_have_to_find_each_address_and_no_other() -> None:
    right = {jail: found(jail) for jail in EXPECTED["jails"]}
    check = jails.test_the_filters_find_every_attack_and_nothing_else
    assert judged(check, tried={"lines for the jails": right}) == {State.PASS}
    for wrong in ([*right["sshd"][:-1], "198.51.100.1"], ["", *right["sshd"][1:]], ["198.51.100.1", *right["sshd"][1:]]):
        assert State.FAIL in judged(check, tried={"lines for the jails": {**right, "sshd": wrong}})


def test_the_lines_that_every_jail_is_tried_with_are_sound() -> None:
    for jail in EXPECTED["jails"]:
        kinds = jails.collection(jail)
        assert {entry["address"] for entry in kinds["attacks"]} == {"203.0.113.9", "2001:db8::9"}
        assert {entry["address"] for entry in kinds["harmless"]} == {""}
        lines = [(entry["program"], entry["line"]) for kind in kinds.values() for entry in kind]
        assert len(lines) == len(set(lines))
        assert "198.51.100.1" in "".join(text for _program, text in lines), "names that want to name somebody else"


BANS: dict[str, Any] = {"open while banned": [], "others": True, "shut after the release": []}


def test_a_ban_has_to_shut_on_both_families_and_end() -> None:
    check = jails.test_each_jail_bans_and_releases_on_both_families
    good: dict[str, Any] = {"jails": dict.fromkeys(EXPECTED["jails"], BANS), "families": [4, 6]}
    assert judged(check, tried={"a ban by each jail": good}) == {State.PASS}
    for change in ({"open while banned": ["[192.0.2.7]:443"]}, {"others": False}, {"shut after the release": ["[2001:db8::7]:80"]}):
        bad = {**good, "jails": {**good["jails"], "sshd": {**BANS, **change}}}
        assert State.FAIL in judged(check, tried={"a ban by each jail": bad})


def test_an_operator_who_is_banned_is_seen() -> None:
    check = jails.test_the_operators_own_address_is_never_banned
    good: dict[str, Any] = {"answers": 6, "banned": [], "served": [ADDRESS]}
    assert judged(check, tried={"an operator's wrong sign-ins": good}) == {State.PASS}
    changes: list[dict[str, Any]] = [{"banned": ["192.0.2.1"]}, {"served": []}, {"answers": 5}]
    for change in changes:
        assert State.FAIL in judged(check, tried={"an operator's wrong sign-ins": {**good, **change}})


def test_a_new_address_has_to_be_listed_and_its_command_to_shut_it_out() -> None:
    check = secrets_logged.test_a_new_address_is_listed_with_the_command_that_shuts_it_out
    day, ban = a_day(), {"command": COMMAND, "open while banned": [], "shut after the release": []}
    assert judged(check, tried={"a walk with secrets": day, "a ban from the report": ban}) == {State.PASS}
    for entries in ([], [ENTRY, ENTRY], [[*ENTRY[:2], "127.0.0.1", *ENTRY[3:]]]):
        bad = {**day, "new addresses": entries}
        assert State.FAIL in judged(check, tried={"a walk with secrets": bad, "a ban from the report": ban})
    for change in ({"command": ""}, {"open while banned": [f"[{ADDRESS}]:443"]}, {"shut after the release": [f"[{ADDRESS}]:80"]}):
        assert State.FAIL in judged(check, tried={"a walk with secrets": day, "a ban from the report": {**ban, **change}})
