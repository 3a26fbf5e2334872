"""Every kind of answer, over each version of HTTP, with exactly its headers: none is missing, doubled, altered or beside them."""

import json
import re
from typing import Any

from verification.breaking import edit_nginx
from verification.checks.policy import NONCE, plain, with_scripts
from verification.checks.web import devices, directives
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable

Expected = dict[str, Any]
LOG = "/var/log/nginx/access.log"
POLICY, TRIED = "content-security-policy", "content-security-policy-report-only"
# What no report-only policy says, since browsers do not heed it there.
NOT_ON_TRIAL = "upgrade-insecure-requests"
# What belongs to a connection of HTTP/1.1 and to no answer, and what each answer has of its own.
OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding")
OF_ITS_OWN = ("content-length", "date", "etag", "last-modified")
TIMES = 14  # sign-ins, one after another: eleven at the most are passed on, and then one a second
OLD = ("HTTP/1.1", "HTTP/2")


def headers(answer: dict[str, Any]) -> dict[str, list[Any]]:
    """An answer's headers by name, each as often as it came."""
    found: dict[str, list[Any]] = {}
    for name, value in answer["headers"]:
        if name not in OF_THE_CONNECTION:
            found.setdefault(name, []).append(_plain(name, value))
    return found


def _plain(name: str, value: str) -> Any:
    if name in (POLICY, TRIED):
        return plain([value])[0]
    if name == "set-cookie":
        return re.sub("=[^;]+", "=…", value, count=1)
    if name == "vary":
        return value.lower()
    return "…" if name in OF_ITS_OWN and value else value


def wanted(kind: Expected, answer: dict[str, Any], expected: Expected, declared: Expected) -> dict[str, list[Any]]:
    """All headers of a kind of answer; a page names a nonce only where it has a script."""
    named, policies = expected["answers"], expected["policies"]["application" if kind["by"] == "application" else "nginx"]
    nonces = sum(len(NONCE.findall(value)) for name, value in answer["headers"] if name == POLICY)
    lifetime = expected["hsts"]["stages"][int(declared.get("hsts_stage", expected["hsts"]["stage"]))]
    texts = {**named["every"], "strict-transport-security": lifetime, **named["by"][kind["by"]], **kind.get("also", {})}
    laid = {POLICY: [with_scripts(policies, nonces)]}
    if kind["by"] == "application" and (tried := directives(declared.get("csp_report_only", ""))):
        own = {name: sources for name, sources in policies.items() if name != NOT_ON_TRIAL}
        laid[TRIED] = [with_scripts({**own, **tried}, nonces)]
    if kind["by"] == "application":
        texts["permissions-policy"] = devices(expected, declared)
    return {**{name: [text] for name, text in texts.items()}, **laid}


def each(version: str, seen: dict[str, Any], kinds: Expected, see: Witness, expected: Expected, declared: Expected) -> None:
    """Status and headers of each kind over one version. A version that nobody there speaks is not testable."""
    if "not_testable" in seen:
        raise NotTestable(seen["not_testable"])
    see.exactly(f"{version}: kinds of answer that were fetched", set(seen), set(kinds))
    for name, kind in kinds.items():
        answer = seen.get(name, {"status": 0, "headers": []})
        see.exactly(f"{version}: status of {name}", answer["status"], kind["status"])
        see.exactly(f"{version}: headers of {name}", headers(answer), wanted(kind, answer, expected, declared))


def kinds(expected: Expected, declared: Expected) -> Expected:
    """Those of every day; who names no contact has no page that names it."""
    without = () if declared.get("security_contact") else ("contact for weaknesses",)
    return {name: kind for name, kind in expected["answers"]["kinds"].items() if name not in without}


@control("WEB-026")
def test_every_kind_of_answer_has_exactly_its_headers(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen = fetched(host, expected, declared)
    for version in OLD:
        each(version, seen.get(version, {}), kinds(expected, declared), see, expected, declared)


@control("WEB-026")
def test_the_same_kinds_have_the_same_headers_over_http3(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if not declared.get("http3", True):
        raise NotApplicable("declared.yml says http3: false")
    each("HTTP/3", fetched(host, expected, declared).get("HTTP/3", {}), kinds(expected, declared), see, expected, declared)


def fetched(host: Host, expected: Expected, declared: Expected) -> dict[str, Any]:
    """What was fetched by version, without the kinds that this site has not."""
    known = {"not_testable", *kinds(expected, declared)}
    answers = host.outside["answers_by_version"]
    return {version: {kind: one for kind, one in seen.items() if kind in known} for version, seen in answers.items()}


@control("WEB-026")
def test_no_kind_of_answer_is_forgotten(host: Host, see: Witness, expected: Expected) -> None:
    other = re.compile(expected["answers"]["other_kinds"])
    routes = host.inside["application"]["routes"]
    see.at_least("addresses of the application", len(routes), 1)
    see.exactly("addresses that answer in a way that nobody named", [route for route in routes if other.search(route)], [])


@control("WEB-026", active=True)
def test_so_has_what_a_flood_and_a_stopped_application_leave(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    wanted, stopped = expected["answers"]["kinds_of_bad_days"], host.trial("a stopped application", _stopped)
    flood = sign_ins(host)["tries"] if "429 of nginx" in wanted else {}
    see.exactly("versions that were tried", set(stopped), {*OLD, *(["HTTP/3"] if declared.get("http3", True) else [])})
    for version, answers in stopped.items():
        seen = {"502 of nginx": answers["page"]} if "page" in answers else dict(answers)
        for one in flood.get(version, {}).values():
            if isinstance(one, dict) and one["status"] == 429:
                seen["429 of nginx"] = one
        each(version, seen, wanted, see, expected, declared)


def sign_ins(host: Host) -> dict[str, Any]:
    """Sign-ins over each version, more than an address may send, HTTP/3 first; and how often each version stands in nginx's log."""

    def attempt(host: Host) -> dict[str, Any]:
        size, observers = int(host.sudo(f"stat --format=%s {LOG}").stdout), host.seen_from()
        tries = host.look_outside({"sections": ["sign_ins_by_version"], "times": TIMES})["sign_ins_by_version"]
        lines = [json.loads(line) for line in host.sudo(f"tail -c +{size + 1} {LOG}").stdout.splitlines()]
        logged = [line["protocol"] for line in lines if line["client"] in observers and line["path"] == "/sign-in/"]
        # The count runs down by one a second, and whoever signs in next from there is not to be refused for this: a new nginx counts anew.
        host.sudo("systemctl restart nginx && sleep 0.3")
        return {"tries": tries, "logged": {protocol: logged.count(protocol) for protocol in sorted(set(logged))}}

    return host.trial("sign-ins over each version", attempt)


def _stopped(host: Host) -> dict[str, Any]:
    """The page while nobody is behind nginx."""
    host.sudo("systemctl stop casemate.socket casemate.service")
    try:
        seen: dict[str, Any] = host.look_outside({"sections": ["page_by_version"]})["page_by_version"]
    finally:
        host.sudo("systemctl start casemate.socket casemate.service")
    return seen


@probe("WEB-026", touches=("nginx: static headers",))
def static_files_tell_which_host_they_come_from(host: Host) -> None:
    edit_nginx(host, "    location ^~ /static/ {\n", "    location ^~ /static/ {\n            add_header X-Served-By $hostname always;\n")


@probe("WEB-026", touches=("nginx: page of a stopped application",), spoils=("X-26",))
def the_page_of_a_stopped_application_says_when_to_come_back(host: Host) -> None:
    """With the one header that it adds, a block of its own loses all that it would have inherited: nobody sees it on a good day."""
    host.sudo(
        r"sed -i -E '/location = \/-\/502 \{/,/^ *\}/{/add_header/d; s/( *)return 502/\1add_header Retry-After 60 always;\n&/}' "
        "/etc/nginx/nginx.conf && grep -q Retry-After /etc/nginx/nginx.conf && nginx -t -q && nginx -s reload && sleep 0.3"
    )
