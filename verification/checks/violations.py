"""Violations of the content security policy: who is told of them, what is kept, and what a policy on trial must show before it bites."""

import json
import re
import secrets
from typing import Any

from verification.breaking import patch_application
from verification.checks.answers import NOT_ON_TRIAL
from verification.checks.policy import NO_NONCE, plain, wanted
from verification.checks.web import curl, directives, kinds, values
from verification.host import Host, facts_of, script_of
from verification.household import SOCKET, rows
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
TABLE = "sudo mariadb casemate -e 'SELECT * FROM security_violation'"
LIST = "sudo casemate violations"
COLLECTOR = "security/services.py"


def endpoint(host: Host) -> str:
    """Where the sign-in page tells browsers to report to."""
    told = re.search(r'csp="([^"]+)"', " ".join(values(host, "page", "reporting-endpoints")))
    return told[1] if told else "/no-endpoint-is-named/"


def listed(host: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in host.sudo("casemate violations --json").stdout.splitlines() if line.startswith("{")]


def beside(host: Host, name: str, attempt: Any) -> dict[str, Any]:
    """What came of an attempt, with a mark in all that it sends; what it left is removed, and nobody is refused for it later."""

    def alone(host: Host) -> dict[str, Any]:
        mark = f"verifier-{secrets.token_hex(6)}"
        beyond = remember(host, "security_violation", "count", "directive = ''")
        newest = int(rows(host, "SELECT COALESCE(MAX(id), 0) FROM casemate.security_violation"))
        host.sudo("systemctl restart casemate-limiter.service")
        try:
            found: dict[str, Any] = attempt(host, mark)
        finally:
            # What others report meanwhile goes too: browsers will say it again.
            rows(host, f"DELETE FROM casemate.security_violation WHERE id > {newest}")
            restore(host, "security_violation", "count", beyond)
            host.sudo("systemctl restart casemate-limiter.service")
        return found

    return host.trial(name, alone)


def remember(host: Host, table: str, column: str, where: str = "TRUE") -> list[list[str]]:
    query = f"SELECT id, {column} FROM casemate.{table} WHERE {where}"
    return [line.split("\t") for line in rows(host, query).splitlines()]


def restore(host: Host, table: str, column: str, was: list[list[str]]) -> None:
    for number, value in was:
        rows(host, f"UPDATE casemate.{table} SET {column} = '{value}' WHERE id = {number}")


def sent(host: Host, expected: Expected) -> dict[str, Any]:
    """Reports of all kinds, from outside: their answers, and what became of them."""

    def attempt(host: Host, mark: str) -> dict[str, Any]:
        limit = expected["violations"]["body"]
        told = {"sections": ["reports"], "endpoint": endpoint(host), "mark": mark, "limit": limit}
        before = {one["number"] for one in listed(host)}
        answers = host.look_outside(told)["reports"]
        kept = json.loads(json.dumps(listed(host)).replace(mark, "MARK"))
        # In the table itself, since what a page does not show may be kept all the same.
        secret = f"CONCAT_WS(' ', directive, page, blocked) REGEXP '(path|query|part|token)-{mark}'"
        return {
            "answers": answers,
            "listed": [
                [one[name] for name in ("policy", "directive", "page", "blocked", "count")] for one in kept if one["number"] not in before
            ],
            "rows with a secret": int(rows(host, f"SELECT COUNT(*) FROM casemate.security_violation WHERE {secret}")),
        }

    return beside(host, "reports", attempt)


@control("WEB-017")
def test_a_policy_can_be_tried_beside_the_enforced_one(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    tried = directives(declared.get("csp_report_only", ""))
    for kind in (kind for kind in kinds(host) if kind in ("page", "redirect", "404 of the application", "403 of the application")):
        own = {name: sources for name, sources in wanted(expected, kind).items() if name != NOT_ON_TRIAL} | tried
        without = {name: sources for name, sources in own.items() if sources != [NO_NONCE]}
        seen = plain(values(host, kind, "content-security-policy-report-only"))
        if tried:
            see.one_of(f"policies on trial on: {kind}", seen, ([own], [without]), show=curl(host, kind))
        else:
            see.exactly(f"policies on trial on: {kind}, where none is declared", seen, [], show=curl(host, kind))
        told = [[one.get("report-uri"), one.get("report-to")] for one in plain(values(host, kind, "content-security-policy"))]
        see.exactly(
            f"where the enforced policy is told of on: {kind}",
            told,
            [[[expected["violations"]["endpoint"]], ["csp"]]],
            show=curl(host, kind),
        )
        named = values(host, kind, "reporting-endpoints")
        see.exactly(f"what that name stands for on: {kind}", named, [f'csp="{expected["violations"]["endpoint"]}"'], show=curl(host, kind))


@control("WEB-017", active=True)
def test_a_report_is_taken_from_anybody_and_shows_up(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen = sent(host, expected)
    forms = {name: seen["answers"].get(name) for name in ("report-uri", "report-to")}
    see.exactly("status of both forms of a report", forms, {"report-uri": 204, "report-to": 204}, show=LIST)
    ours = [one[:4] for one in seen["listed"] if one[3] == "https://MARK.invalid"]
    policies = ["enforced", *(["on trial"] if declared.get("csp_report_only") else [])]
    see.exactly(
        "what the list says of it",
        sorted(ours),
        [[policy, "img-src", "/sign-in/", "https://MARK.invalid"] for policy in policies],
        show=LIST,
    )


@probe("WEB-017", touches=("headers: reports",), spoils=("X-27",))
def the_endpoint_that_pages_name_is_not_there(host: Host) -> None:
    patch_application(
        host, "headers.py", "REPORTING_ENDPOINTS = f'{ENDPOINT}=\"{REPORTS}\"'", "REPORTING_ENDPOINTS = 'csp=\"/csp-report/\"'"
    )


@control("X-27", active=True)
def test_reports_are_taken_up_to_a_size(host: Host, see: Witness, expected: Expected) -> None:
    answers, limit = sent(host, expected)["answers"], expected["violations"]["body"]
    see.exactly(f"status of {limit} bytes", answers.get("of the limit"), 204)
    see.exactly(f"{limit + 1} bytes: status, and whether nginx says it", answers.get("one byte more"), [413, True])
    see.exactly(f"{limit + 1} bytes in chunks", answers.get("one byte more, in chunks"), [413, True])
    strange = {name: answers.get(name) for name in ("of another type", "that is cut off", "of another site's page")}
    see.exactly(
        "status of what no browser sends",
        strange,
        {"of another type": 415, "that is cut off": 400, "of another site's page": 204},
        show=LIST,
    )


@control("X-27", active=True)
def test_equal_reports_are_one_and_no_secret_is_kept(host: Host, see: Witness, expected: Expected) -> None:
    seen = sent(host, expected)
    ours = {" ".join(one[1:4]): one[4] for one in seen["listed"] if one[0] == "enforced"}
    # Four of one kind, one of a page with a token in its path, and none of another site's page.
    kinds_sent = {"img-src /sign-in/ https://MARK.invalid": 4, "img-src /enrol/<str:token>/ inline": 1}
    see.exactly("kinds that came of them, and how often", ours, kinds_sent, show=LIST)
    see.exactly("rows with a path, a query or a token", seen["rows with a secret"], 0, show=TABLE)


# It spoils WEB-017 too, whose probe spoils X-27: two that spoil each other have no order, and a campaign takes the later one again.
@probe("X-27", touches=("violations: addresses",))
def whole_addresses_are_kept_to_find_the_fault_sooner(host: Host) -> None:
    patch_application(
        host, "security/reports.py", '    return visible(f"{split.scheme}://', '    return visible(address or f"{split.scheme}://'
    )


@control("X-27", active=True)
def test_nobody_fills_the_disk_with_reports(host: Host, see: Witness, expected: Expected) -> None:
    limits = expected["violations"]
    seen = flooded(host, limits)
    see.at_most("reports of forty at once that nginx passed on", seen["at once"].get("204", 0), limits["passed_of_a_flood"])
    see.at_least("reports of forty at once that it refused", seen["at once"].get("429 of nginx", 0), 40 - limits["passed_of_a_flood"])
    one, more = limits["of_one_address"], 10
    see.exactly(f"{one + more} of one address within a minute, past nginx", seen["of one address"], {"204": one, "429": more})
    see.exactly("kinds that this address could add", seen["kinds of one address"], limits["kinds_of_one_address"], show=LIST)
    see.exactly("kinds that another could add to a full list", seen["kinds beside a full list"], 0, show=LIST)
    see.exactly("reports of those that were counted", seen["counted beside a full list"], 5, show=LIST)
    see.at_most("rows in the end", seen["rows"], limits["kinds"] + 2, show=TABLE)


def flooded(host: Host, limits: Expected) -> dict[str, Any]:
    """Too many at once, from one address, and of too many kinds."""

    def number(query: str) -> int:
        return int(rows(host, f"SELECT {query} FROM casemate.security_violation"))

    def attempt(host: Host, mark: str) -> dict[str, Any]:
        given = {"site": host.site, "endpoint": endpoint(host), "mark": mark, "socket": SOCKET}
        found = {"at once": host.look_outside({**given, "sections": ["flood_of_reports"]})["flood_of_reports"]}
        many = limits["of_one_address"] + 10
        found["of one address"] = over_the_socket(host, {**given, "from": "127.0.0.21", "first": 0, "many": many})
        found["kinds of one address"] = number(f"COALESCE(SUM(blocked LIKE '%{mark}-%'), 0)")
        filled = f"SHA2(CONCAT('{mark}', seq), 256), 'img-src', '/', 'https://full.invalid', 0, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
        columns = "digest, directive, page, blocked, by_extension, count, first_seen_at, last_seen_at"
        places = max(limits["kinds"] - number("COUNT(*)"), 0)
        rows(host, f"INSERT INTO casemate.security_violation ({columns}) SELECT {filled} FROM casemate.seq_1_to_1000 LIMIT {places}")
        before = number("COALESCE(SUM(IF(directive = '', count, 0)), 0)")
        over_the_socket(host, {**given, "from": "127.0.0.22", "first": 5000, "many": 5})
        found["kinds beside a full list"] = number(f"COALESCE(SUM(blocked LIKE '%{mark}-500_.%'), 0)")
        found["counted beside a full list"] = number("COALESCE(SUM(IF(directive = '', count, 0)), 0)") - before
        return {**found, "rows": number("COUNT(*)")}

    return beside(host, "a flood of reports", attempt)


def over_the_socket(host: Host, parameters: Expected) -> Any:
    name = "reports_over_the_socket"
    script = script_of(("sections", "wire", "limits", "violations"), {**parameters, "sections": [name]})
    return facts_of(host.connection.run("sudo python3 -", stdin=script, timeout=300), host.name)[name]


@probe("X-27", touches=("violations: places",))
def the_list_may_grow_as_long_as_it_likes(host: Host) -> None:
    patch_application(host, COLLECTOR, "KINDS = 200", "KINDS = 200_000")


@control("X-27", active=True)
def test_a_policy_is_enforced_only_after_its_quiet(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen, days = asked(host, expected, declared), declared.get("csp_quiet_days", expected["violations"]["quiet_days"])
    show = "sudo casemate policy_trial --may-enforce \"img-src 'self'\""
    see.exactly("a policy that was never tried", seen["never tried"], "never on trial", show=show)
    see.exactly("one that allows more than the application's own", seen["looser"], "would allow", show=show)
    if "unused" not in seen:
        return
    see.exactly("the declared one, while nobody has used it", seen["unused"], "Nobody has signed in", show=show)
    see.exactly("a new kind came just now", seen["a new kind"], "The last new violation", show=show)
    see.exactly(f"the last new kind came {days} days less an hour ago", seen["almost"], "The last new violation", show=show)
    see.exactly(f"it came {days} days and an hour ago", seen["quiet"], "It may be enforced", show=show)


WORDS = ("never on trial", "would allow", "Nobody has signed in", "The last new violation", "It may be enforced")


def asked(host: Host, expected: Expected, declared: Expected) -> dict[str, Any]:
    """Whether a policy may be enforced: one that nobody tried, one that is looser, and the declared one as the days go by."""
    person = "verifier-trial@casemate.invalid"

    def said(text: str) -> str:
        told = host.connection.run(f"sudo casemate policy_trial --may-enforce {json.dumps(text)}")
        words = told.stdout + told.stderr
        known = next((word for word in WORDS if word in words), words.strip()[-200:])
        return known if told.succeeded is (known == WORDS[-1]) else f"status {told.status}: {known}"

    def attempt(host: Host, mark: str) -> dict[str, Any]:
        found = {"never tried": said("script-src 'none'; style-src 'none'"), "looser": said("img-src https://cdn.invalid")}
        if not (text := declared.get("csp_report_only", "")):
            return found
        began = remember(host, "security_trial", "began_at")
        first = remember(host, "security_violation", "first_seen_at", "trial_id IS NOT NULL")
        limits = expected["violations"]
        days = int(declared.get("csp_quiet_days", limits["quiet_days"]))
        try:
            # Begun after everybody's last sign-in, then long ago.
            rows(host, "UPDATE casemate.security_trial SET began_at = UTC_TIMESTAMP(6)")
            found["unused"] = said(text)
            columns = "id, email, name, password, is_active, is_operator, must_change_password, created_at, signed_in_at, signed_in_from"
            values = f"UUID(), '{person}', '', '!', 0, 0, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), ''"
            rows(host, f"INSERT INTO casemate.accounts_user ({columns}, previous_sign_in_from) SELECT {values}, ''")
            rows(host, f"UPDATE casemate.security_trial SET began_at = began_at - INTERVAL {days + 30} DAY")
            host.look_outside({"sections": ["reports"], "endpoint": endpoint(host), "mark": mark, "limit": limits["body"]})
            found["a new kind"] = said(text)
            for name, ago in (("almost", days * 24 - 1), ("quiet", days * 24 + 1)):
                when = f"UTC_TIMESTAMP(6) - INTERVAL {ago} HOUR"
                rows(host, f"UPDATE casemate.security_violation SET first_seen_at = {when} WHERE trial_id IS NOT NULL")
                found[name] = said(text)
        finally:
            restore(host, "security_trial", "began_at", began)
            restore(host, "security_violation", "first_seen_at", first)
            rows(host, f"DELETE FROM casemate.accounts_user WHERE email = '{person}'")
        return found

    return beside(host, "a policy on trial", attempt)
