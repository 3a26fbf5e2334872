"""The audit log: it can be added to and read, and nothing else, by anybody but root."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable

Expected = dict[str, Any]
EVENTS = "sudo mariadb casemate_audit -e 'SELECT * FROM event ORDER BY id DESC LIMIT 50'"
OUTSIDE = "sudo journalctl --namespace=casemate-audit -o cat"


@control("X-13")
def test_the_application_can_only_add_to_the_audit_log(host: Host, see: Witness, expected: Expected) -> None:
    attempts = host.inside["as_accounts"]["app"]
    for name, wanted in expected["audit"]["attempts"].items():
        see.exactly(f"{name}, as casemate_app", attempts[name], wanted, show="casemate dbshell")
    see.exactly(
        "triggers that refuse it to others",
        set(host.inside["database_triggers"]),
        set(expected["audit"]["triggers"]),
        show="sudo mariadb -e 'SHOW TRIGGERS IN casemate_audit'",
    )


@control("X-13")
def test_the_chain_holds(host: Host, see: Witness) -> None:
    said = host.inside["audit_verify"]
    see.exactly("exit status of audit_verify", said["status"], 0, show="sudo casemate audit_verify")


@probe("X-13", touches=("audit grants",), spoils=("DB-003",))
def root_rewrites_history(host: Host) -> None:
    host.sudo("mariadb <<'SQL'\nGRANT UPDATE, DELETE ON casemate_audit.event TO casemate_app@127.0.0.1;\nSQL")


@control("AUD-001")
def test_people_who_were_here_are_in_the_log(host: Host, see: Witness) -> None:
    actions, people = host.inside["audit_actions"], sum(host.inside["password_hashes"].values())
    if not people:
        raise NotApplicable("nobody is enrolled here yet")
    issued = actions.get("accounts.enrolment_link.issue", 0)
    see.at_least(f"links that were issued, with {people} people", issued, people, show="sudo casemate audit_verify")


@control("AUD-001", active=True)
def test_signing_in_leaves_events(host: Host, see: Witness, expected: Expected) -> None:
    newcomer = host.newcomer()
    for action in expected["audit"]["events"]:
        added = newcomer.events_after.get(action, 0) - newcomer.events_before.get(action, 0)
        see.at_least(f"new events {action}", added, 1, show="sudo mariadb casemate_audit -e 'SELECT action, at FROM event'")


@control("AUD-013")
def test_whoever_records_an_event_says_whether_it_succeeded(host: Host, see: Witness) -> None:
    seen = host.inside["shape"]["events"]
    came = {name: outcome.partition(":")[0] for name, outcome in seen["came"].items()}
    wanted = {"without a word": "TypeError", "with it": "asks for anybody's", "with a secret": "ValueError"}
    see.exactly("what came of an event", came, wanted, show="sudo casemate shell")
    show = "sudo mariadb -e 'SHOW CREATE TABLE casemate_audit.event'"
    see.exactly("whether success may be empty, and what it is by itself", seen["columns"], [["NO", None]], show=show)


@control("AUD-013", active=True)
def test_failures_and_refusals_are_told_as_such(host: Host, see: Witness, expected: Expected) -> None:
    wanted, told = expected["audit"], dict[str, set[bool]]()
    for event in host.household("guessing", "vault", "backup codes").events:
        told.setdefault(event["action"], set()).add(bool(event["success"]))
    both = sorted(act for act in wanted["either"] if told.get(act) == {True, False})
    see.exactly("acts that are told as done or as failed", both, sorted(wanted["either"]), show=EVENTS)
    refused = told.keys() & set(wanted["refusals"])
    see.at_least("kinds of refusals", len(refused), 2, show=EVENTS)
    see.exactly("refusals that are told as done", sorted(act for act in refused if told[act] != {False}), [], show=EVENTS)
    rest = told.keys() - refused - set(wanted["either"])
    see.exactly("what else is told as failed", sorted(act for act in rest if told[act] != {True}), [], show=EVENTS)


@probe("AUD-013", touches=("audit: services",))
def a_flag_that_is_nearly_always_true_gets_its_default_again(host: Host) -> None:
    patch_application(host, "audit/services.py", "    success: bool,\n", "    success: bool = True,\n")


@control("LOG-004")
def test_each_event_is_also_outside_the_database(host: Host, see: Witness) -> None:
    told_outside(see, host.inside["audit_outside"])


@control("LOG-004", active=True)
def test_so_are_those_of_somebody_who_has_just_signed_in(host: Host, see: Witness) -> None:
    newcomer = host.newcomer()
    asked = {"sections": ["audit_outside"], "audit_line": host.inside["audit_outside"]["newest line"]}
    seen = host.trial("lines outside", lambda host: dict(host.look_inside(asked)["audit_outside"]))
    events = sum(newcomer.events_after.values()) - sum(newcomer.events_before.values())
    see.at_least("lines that an enrolment added, of its events", seen["lines"], events, show=OUTSIDE)
    told_outside(see, seen)


def told_outside(see: Witness, seen: Expected) -> None:
    if not seen["events"]:
        raise NotApplicable("nothing was recorded here yet")
    see.at_least("lines", seen["lines"], 1, show=OUTSIDE)
    for what in ("events without their line", "lines whose event is gone or another"):
        see.exactly(what, seen[what], [], show=OUTSIDE)
    see.exactly("who wrote them", seen["written by"], ["casemate"], show=OUTSIDE)
    see.exactly("who may add lines", seen["who may add"], "0660 root casemate", show="stat /run/systemd/journal.casemate-audit/dev-log")


@probe("LOG-004", touches=("settings: logging",), spoils=("APP-018",))
def the_second_record_is_taken_for_a_waste_of_disk(host: Host) -> None:
    patch_application(host, "settings.py", '{"handlers": ["audit"], "level"', '{"handlers": [], "level"')


@probe("LOG-004", touches=("journal of the audit log",))
def everybody_may_write_into_it_for_a_test(host: Host) -> None:
    host.sudo("chmod 0666 /run/systemd/journal.casemate-audit/dev-log")


@probe("AUD-001", touches=("services: sign-in",), spoils=("APP-020", "AUD-011"))
def failed_attempts_are_too_noisy_for_the_log(host: Host) -> None:
    event = "    record(\n        Action.PASSWORD_CHECKED,\n        actor=STRANGER,"
    patch_application(host, "accounts/services.py", event, "    dict(\n        action=Action.PASSWORD_CHECKED,\n        actor=STRANGER,")
