"""Crooked requests, sent by the observer: what nginx says to each, and whether the application ever heard of it."""

import json
import secrets
from typing import Any

from verification.breaking import edit_nginx
from verification.host import Host
from verification.marks import control, probe
from verification.remote.crooked import requests
from verification.witness import Witness

Expected = dict[str, Any]
WHOLE = "a whole one"
LOG = "/var/log/nginx/access.log"


def sent(host: Host) -> dict[str, Any]:
    """What came of them, outside and inside: each has a mark in it that nothing else has."""

    def attempt(host: Host) -> dict[str, Any]:
        mark = f"verifier{secrets.token_hex(6)}"
        since, size = host.sudo(f"date +%s.%N; stat --format=%s {LOG}").stdout.split()
        observers = host.seen_from()
        answers = host.look_outside({"sections": ["crooked"], "mark": mark})["crooked"]
        journal = host.sudo(f"journalctl -u casemate -o cat --since=@{since}").stdout.splitlines()
        lines = [json.loads(line) for line in host.sudo(f"tail -c +{int(size) + 1} {LOG}").stdout.splitlines()]
        return {
            "answers": answers,
            "marks that the application saw": sorted({line.partition(mark)[2][:8].strip('"/ ') for line in journal if mark in line}),
            "requests that it could not read": [line[:200] for line in journal if "Invalid" in line],
            "passed on": sum(line["client"] in observers and line["upstream_seconds"] not in ("", "-") for line in lines),
            "refused by nginx": sum(line["client"] in observers and line["upstream_seconds"] in ("", "-") for line in lines),
        }

    return host.trial("crooked requests", attempt)


@control("X-25", active=True)
def test_crooked_requests_are_refused_by_nginx(host: Host, see: Witness, expected: Expected) -> None:
    answers = sent(host)["answers"]
    see.exactly("requests that were tried", set(answers), set(requests("", "")), show="verification/remote/crooked.py")
    for name, status in answers.items():
        if name == WHOLE:
            see.exactly("status of a whole request", status, 404, show=f"sudo tail {LOG}")
        else:
            see.one_of(f"status of {name} (0: closed without an answer)", status, expected["nginx"]["refusals"], show=f"sudo tail {LOG}")


@control("X-25", active=True)
def test_none_of_them_reaches_the_application(host: Host, see: Witness) -> None:
    seen = sent(host)
    show = "sudo journalctl -u casemate --since=-1min"
    see.exactly("marks that the application saw: that of the whole request", seen["marks that the application saw"], ["-whole"], show=show)
    see.exactly("requests that it could not read", seen["requests that it could not read"], [], show=show)
    see.exactly("requests that nginx passed on, by its own log", seen["passed on"], 1, show=f"sudo tail -n 50 {LOG}")
    see.at_least("requests that nginx refused, by its own log", seen["refused by nginx"], 30, show=f"sudo tail -n 50 {LOG}")


@probe("X-25", touches=("nginx: crooked paths",))
def a_partner_sends_encoded_slashes_in_its_addresses(host: Host) -> None:
    edit_nginx(host, "if ($request_is_crooked) {", 'if ($request_is_crooked = "never") {')
