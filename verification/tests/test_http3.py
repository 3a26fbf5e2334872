"""The checks of every kind of answer and of HTTP/3, on facts of our own: each can pass, and each can fail. And how packets are read."""

import copy
import inspect
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from verification import expectations
from verification.checks import answers, http3
from verification.host import Facts
from verification.remote import http3 as client
from verification.remote import quic, versions
from verification.tests.conftest import Stage, an_inventory
from verification.tests.test_edge import put, written
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable, State

ADDRESSES = ["192.0.2.7", "2001:db8::7"]
DECLARED = {
    "site_name": "casemate.test",
    "site_addresses": ADDRESSES,
    "hsts_stage": 1,
    "security_contact": "mailto:security@casemate.test",
}
EXPECTED = expectations.load("lab", DECLARED)
VERSIONS = ("HTTP/3", "HTTP/2", "HTTP/1.1")
TRIALS = ("sign-ins over each version", "a stopped application", "bans and UDP", "a flood of first packets")
DOORS = [f"[{address}]:443/udp" for address in ADDRESSES]
DAYS = {
    "date": "Mon, 23 Nov 2026 04:00:00 GMT",
    "content-length": "1572",
    "etag": '"6b03"',
    "last-modified": "Sun, 22 Nov 2026 04:00:00 GMT",
}


def answer(kind: dict[str, Any], version: str) -> dict[str, Any]:
    """As a good host gives it, with what each answer has of its own."""
    named, nonce = EXPECTED["answers"], "a-nonce-of-twenty-two-x" if kind.get("status") == 200 else ""
    policy = EXPECTED["policies"]["application" if kind["by"] == "application" else "nginx"]
    texts = {
        **named["every"],
        "strict-transport-security": "max-age=300; includeSubDomains",
        **named["by"][kind["by"]],
        **kind.get("also", {}),
    }
    texts["content-security-policy"] = written(policy, nonce)
    texts |= {name: DAYS[name] for name in texts.keys() & DAYS.keys()} | ({"connection": "close"} if version == "HTTP/1.1" else {})
    return {"status": kind["status"], "ended": "", "headers": [[name, value.replace("=…", "=mallory")] for name, value in texts.items()]}


def facts() -> dict[str, Any]:
    """Of a host on which all is as it should be."""
    bad = {name: EXPECTED["answers"]["kinds_of_bad_days"][name] for name in ("429 of nginx", "502 of nginx")}
    tries = {f"sign-in {number}": {"status": 403, "headers": []} for number in range(11)}
    first = {"a first packet": "a Retry", "bytes of the answer to it": 117, "a first packet that is too short": "nothing"}
    ban = {"before": dict.fromkeys(DOORS, True), "then": dict.fromkeys(DOORS, False), "others": True}
    return {
        "answers_by_version": {v: {name: answer(kind, v) for name, kind in EXPECTED["answers"]["kinds"].items()} for v in VERSIONS},
        "application": {"routes": ["/", "/sign-in/", "/o/ORGANIZATION/vault/"]},
        "first_packets": {address: {**first, "versions that are spoken": ["00000001"]} for address in ADDRESSES},
        "strangers_by_http3": {
            kind: {"status": 200 if kind == "our own name" else 0, "ended": ""}
            for kind in ("our own name", "our name, unknown host", "unknown name", "no name")
        },
        "sign-ins over each version": {
            "tries": {v: {**tries, **{f"sign-in {n}": answer(bad["429 of nginx"], v) for n in (11, 12, 13)}} for v in VERSIONS},
            "logged": {"HTTP/3.0": 14, "HTTP/2.0": 14, "HTTP/1.1": 14},
        },
        "a stopped application": {v: {"page": answer(bad["502 of nginx"], v)} for v in VERSIONS},
        "bans and UDP": {
            "bans": {"an operator": ban, "fail2ban": copy.deepcopy(ban)},
            "after the release": dict.fromkeys(DOORS, True),
            "families": [4, 6],
        },
        "a flood of first packets": {"sent": 600, "answered": 230, "seconds": 1, "others": True},
    }


def failed(check: Any, seen: dict[str, Any], declared: dict[str, Any] | None = None) -> list[str]:
    """What of it was red."""
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.site = "casemate.test"
    host.inside = host.outside = Facts({name: {"value": value} for name, value in seen.items()})
    host.tried = {name: seen[name] for name in TRIALS}
    declared = declared or DECLARED
    given = {"host": host, "see": see, "expected": expectations.load("lab", declared), "declared": declared}
    check(**{name: given[name] for name in inspect.signature(check).parameters})
    assert see.observations
    return [observation.what for observation in see.observations if observation.state is not State.PASS]


QUIC = "answers_by_version|HTTP/3"
CHECKS: list[tuple[Any, str, Any]] = [
    (answers.test_every_kind_of_answer_has_exactly_its_headers, "answers_by_version|HTTP/2|static file|headers|0", ["alt-svc", "clear"]),
    (answers.test_every_kind_of_answer_has_exactly_its_headers, "answers_by_version|HTTP/1.1|413 of nginx|headers", []),
    (answers.test_every_kind_of_answer_has_exactly_its_headers, "answers_by_version|HTTP/1.1|page|status", 500),
    (answers.test_every_kind_of_answer_has_exactly_its_headers, "answers_by_version|HTTP/2", {}),
    (answers.test_the_same_kinds_have_the_same_headers_over_http3, f"{QUIC}|400 of nginx|headers|1", ["x-served-by", "casemate"]),
    (answers.test_the_same_kinds_have_the_same_headers_over_http3, f"{QUIC}|redirect", {"status": 0, "headers": []}),
    (answers.test_no_kind_of_answer_is_forgotten, "application|routes", ["/", "/api/v1/passwords/"]),
    (answers.test_no_kind_of_answer_is_forgotten, "application|routes", ["/", "/audit/export.csv"]),
    (answers.test_so_has_what_a_flood_and_a_stopped_application_leave, "a stopped application|HTTP/3|page|headers", []),
    (answers.test_so_has_what_a_flood_and_a_stopped_application_leave, "a stopped application|HTTP/2|page|status", 200),
    (answers.test_so_has_what_a_flood_and_a_stopped_application_leave, "sign-ins over each version|tries|HTTP/3", {}),
    (answers.test_so_has_what_a_flood_and_a_stopped_application_leave, "a stopped application", {"HTTP/2": {}}),
    (http3.test_a_first_packet_is_answered_with_less_than_it_brought, f"first_packets|{ADDRESSES[1]}|a first packet", "an Initial"),
    (http3.test_a_first_packet_is_answered_with_less_than_it_brought, f"first_packets|{ADDRESSES[0]}|bytes of the answer to it", 3600),
    (http3.test_a_first_packet_is_answered_with_less_than_it_brought, "first_packets", {}),
    (http3.test_it_answers_to_our_own_name_alone, "strangers_by_http3|unknown name|status", 302),
    (http3.test_it_answers_to_our_own_name_alone, "strangers_by_http3|our own name|status", 0),
    (http3.test_the_limits_count_it_and_the_log_names_it, "sign-ins over each version|logged", {"HTTP/2.0": 14}),
    (http3.test_the_limits_count_it_and_the_log_names_it, "sign-ins over each version|tries|HTTP/3|sign-in 3|status", 500),
    (http3.test_who_is_shut_out_gets_no_answer_over_udp_either, "bans and UDP|bans|fail2ban|then", dict.fromkeys(DOORS, True)),
    (http3.test_who_is_shut_out_gets_no_answer_over_udp_either, "bans and UDP|bans|an operator|before", dict.fromkeys(DOORS, False)),
    (http3.test_who_is_shut_out_gets_no_answer_over_udp_either, "bans and UDP|bans|an operator|others", False),
    (http3.test_who_is_shut_out_gets_no_answer_over_udp_either, "bans and UDP|after the release", {}),
    (http3.test_a_flood_of_first_packets_is_dropped_before_nginx, "a flood of first packets|answered", 600),
    (http3.test_a_flood_of_first_packets_is_dropped_before_nginx, "a flood of first packets|answered", 0),
]


@pytest.mark.parametrize("check", list(dict.fromkeys(check for check, *_ in CHECKS)), ids=lambda check: check.__name__)
def test_a_good_host_passes(check: Any) -> None:
    assert failed(check, facts()) == []


@pytest.mark.parametrize(("check", "path", "value"), CHECKS, ids=lambda part: part.__name__ if callable(part) else str(part)[:40])
def test_one_thing_otherwise_is_seen(check: Any, path: str, value: Any) -> None:
    seen = facts()
    put(seen, path, value)
    assert failed(check, seen) != []


def test_a_header_that_came_twice_is_seen() -> None:
    seen = facts()
    headers = seen["answers_by_version"]["HTTP/3"]["404 of nginx"]["headers"]
    headers.append(["strict-transport-security", "max-age=300; includeSubDomains"])
    assert failed(answers.test_the_same_kinds_have_the_same_headers_over_http3, seen) == ["HTTP/3: headers of 404 of nginx"]


def test_each_refused_sign_in_counts_towards_the_limit() -> None:
    seen = facts()
    seen["sign-ins over each version"]["tries"]["HTTP/3"] = {f"sign-in {number}": {"status": 403, "headers": []} for number in range(14)}
    assert failed(http3.test_the_limits_count_it_and_the_log_names_it, seen) == ["sign-ins over HTTP/3 that nginx refused"]


OFF = {**DECLARED, "http3": False}
OF_HTTP3 = (
    answers.test_the_same_kinds_have_the_same_headers_over_http3,
    http3.test_it_answers_to_our_own_name_alone,
    http3.test_the_limits_count_it_and_the_log_names_it,
    http3.test_who_is_shut_out_gets_no_answer_over_udp_either,
    http3.test_a_flood_of_first_packets_is_dropped_before_nginx,
)


def test_where_it_is_off_silence_is_expected_and_no_answer_may_lead_there() -> None:
    seen = facts()
    silent = {"a first packet": "nothing", "bytes of the answer to it": 0, "a first packet that is too short": "nothing"}
    seen["first_packets"] = {address: {**silent, "versions that are spoken": []} for address in ADDRESSES}
    assert failed(http3.test_a_first_packet_is_answered_with_less_than_it_brought, seen, OFF) == []
    assert failed(http3.test_a_first_packet_is_answered_with_less_than_it_brought, facts(), OFF) != []
    assert len(failed(answers.test_every_kind_of_answer_has_exactly_its_headers, facts(), OFF)) == 22, "each still has Alt-Svc"
    listeners = {(protocol, port) for protocol, _address, port, _program in expectations.load("lab", OFF)["ports"]["listeners"]}
    assert {protocol for protocol, _port in listeners} == {"tcp"}
    for check in OF_HTTP3:
        with pytest.raises(NotApplicable):
            failed(check, seen, OFF)


def test_what_the_observer_cannot_ask_is_not_testable() -> None:
    seen = facts()
    why = {"not_testable": client.MISSING}
    seen["answers_by_version"]["HTTP/3"] = seen["strangers_by_http3"] = seen["sign-ins over each version"]["tries"]["HTTP/3"] = why
    for check in OF_HTTP3[:3]:
        with pytest.raises(NotTestable, match="python3-aioquic"):
            failed(check, seen)
    assert failed(answers.test_every_kind_of_answer_has_exactly_its_headers, seen) == []


def test_a_ban_of_one_family_alone_is_not_testable() -> None:
    seen = facts()
    seen["bans and UDP"]["families"] = [4]
    with pytest.raises(NotTestable, match="both families"):
        failed(http3.test_who_is_shut_out_gets_no_answer_over_udp_either, seen)


def test_whoever_names_no_contact_is_asked_for_no_page_of_it() -> None:
    nameless = {name: value for name, value in DECLARED.items() if name != "security_contact"}
    assert failed(answers.test_every_kind_of_answer_has_exactly_its_headers, facts(), nameless) == []


def test_another_application_is_asked_for_nginxs_own_answers() -> None:
    own = {**DECLARED, "application": "other"}
    assert failed(answers.test_every_kind_of_answer_has_exactly_its_headers, facts(), own) == []
    assert failed(answers.test_so_has_what_a_flood_and_a_stopped_application_leave, facts(), own) == []
    with pytest.raises(NotApplicable, match="passwords"):
        failed(http3.test_the_limits_count_it_and_the_log_names_it, facts(), own)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """One that answers over UDP with what stands in the list, and keeps what it got behind it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.settimeout(5)
        says: list[bytes] = []

        def serve() -> None:
            for _ in range(3):
                try:
                    got, whom = waiting.recvfrom(2048)
                except OSError:
                    return
                if says and len(got) >= quic.INITIAL:
                    waiting.sendto(says[0], whom)
                says.append(got)

        def towards(_address: str) -> socket.socket:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.settimeout(0.5)
            sender.connect(waiting.getsockname())
            return sender

        monkeypatch.setattr(quic, "_towards", towards)
        thread = threading.Thread(target=serve)
        thread.start()
        yield says
        waiting.close()
        thread.join()


def test_a_retry_is_known_and_a_short_packet_gets_none(server: list[bytes]) -> None:
    server.append(b"\xff" + quic.VERSION_1 + b"\x00\x08" + bytes(8) + b"token")
    seen = quic.first_packets({"addresses": ["127.0.0.1"]})["127.0.0.1"]
    assert (seen["a first packet"], seen["bytes of the answer to it"]) == ("a Retry", 20)
    assert (seen["a first packet that is too short"], seen["versions that are spoken"]) == ("nothing", [])
    assert sorted(len(packet) for packet in server[1:]) == [300, 1200, 1200]


def test_the_versions_that_a_server_names_are_read() -> None:
    named = b"\x80" + bytes(4) + b"\x04abcd\x02ef" + quic.VERSION_1 + b"\x6b\x33\x43\xcf"
    assert quic.versions(named) == ["00000001", "6b3343cf"]
    assert [quic.kind(packet) for packet in (named, b"", b"\x40", b"\xc3" + quic.VERSION_1)] == [
        *("the versions", "nothing", "a short packet", "an Initial"),
    ]


def test_the_last_head_counts_and_each_header_as_often_as_it_came() -> None:
    heads = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 \r\nServer: nginx\r\nAlt-Svc: a\r\nAlt-Svc: b\r\n\r\n"
    assert versions._answer(heads, "413", "0") == {
        "status": 413,
        "headers": [["server", "nginx"], ["alt-svc", "a"], ["alt-svc", "b"]],
        "ended": "",
    }
    assert versions._answer("", "000", "35") == {"status": 0, "headers": [], "ended": "curl ended with 35"}


def test_without_curl_and_aioquic_each_version_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr(client, "missing", lambda: client.MISSING)
    asked = {"http3": True, "page": "/sign-in/"}
    assert versions.page_by_version(asked) == {
        "HTTP/3": {"not_testable": client.MISSING},
        "HTTP/2": {"not_testable": versions.WITHOUT_CURL},
        "HTTP/1.1": {"not_testable": versions.WITHOUT_CURL},
    }
    assert set(versions.page_by_version({**asked, "http3": False})) == {"HTTP/2", "HTTP/1.1"}
