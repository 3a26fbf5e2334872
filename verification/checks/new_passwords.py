"""A password that is new: at the page of its owner, by root at the host, or by a link. What the audit log says of it."""

from typing import Any

from verification.breaking import patch_application
from verification.changing import change_passwords
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

EVENTS = "sudo mariadb casemate_audit -e \"SELECT * FROM event WHERE action = 'accounts.password.set'\""
LED_TO = {
    "a wrong one": "200",
    "at the page": "/",
    "the session then": "200",
    "by root": "/sign-in/",
    "by a link": "/enrol/totp/",
}
OPENED = {"before": "200", "at the page": "200", "by root": "200", "by a link": "/sign-in/verify/"}
# Kind of who did it, who, to whom, and whether it was done: the page, root, the link.
TOLD = [
    ["person", "the person", "the person", "1"],
    ["terminal", "nobody", "the person", "1"],
    ["person", "the person", "the person", "1"],
]
RECORDED = "    record(Action.PASSWORD_SET, actor=actor, origin=origin, target=Target.person(user), success=True)\n"


def changed(host: Host) -> dict[str, Any]:
    return host.trial("new passwords", change_passwords)


@control("AUD-002", active=True)
def test_each_new_password_is_told_with_who_set_whose(host: Host, see: Witness) -> None:
    seen = changed(host)
    see.exactly("where each way of changing it leads", seen["led to"], LED_TO)
    see.exactly("where the four passwords of one person lead in the end", seen["opened"], OPENED)
    see.exactly("events of the three changes", seen["events"], TOLD, show=EVENTS)


@control("AUD-002", active=True)
def test_no_event_has_a_part_of_a_password(host: Host, see: Witness) -> None:
    seen = changed(host)
    see.exactly("events with eight characters of one of the passwords", seen["with a part"], [], show=EVENTS)
    # The search itself finds what is there.
    see.at_least("events with the address of the person, which the same search finds", seen["with the address"], 5, show=EVENTS)


@probe("AUD-002", touches=("new passwords",))
def who_resets_passwords_all_day_fills_the_log_with_it(host: Host) -> None:
    patch_application(host, "accounts/new_passwords.py", RECORDED, "")


@probe("AUD-002", touches=("new passwords",))
def the_help_desk_wants_to_see_how_a_password_begins(host: Host) -> None:
    begins = RECORDED.replace("success=True)", 'success=True, detail={"begins": password[:12]})')
    patch_application(host, "accounts/new_passwords.py", RECORDED, begins)
