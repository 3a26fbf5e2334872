"""A second factor that an operator takes away: nothing of it is left, all concerned read of it, and for a day nothing is revealed."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.losing import lose
from verification.marks import control, probe
from verification.witness import Witness

RESET = "sudo casemate reset_second_factor bob@example.org"
DEVICES = "sudo mariadb casemate -e 'SELECT user_id, confirmed FROM accounts_totpdevice; SELECT user_id, number FROM accounts_backupcode'"
EVENTS = "sudo mariadb casemate_audit -e \"SELECT * FROM event WHERE action LIKE '%second_factor%' OR action LIKE '%revealing'\""
LED_TO = {"the session": "/sign-in/", "the link of before": "410", "the password": "200", "the new link": "200"}
WAYS = ("shown", "copied", "a former version")
REVEALED, REFUSED = {way: [200, True] for way in WAYS}, {way: [403, False] for way in WAYS}
CONFIRMED = {"bob himself": "200", "an administrator": "403", "alice": "/o/OWN/members/"}
# Where it stands, kind of who did it, who, to whom, and whether it was done: by root, and later by a link that replaces the factor.
OF_THE_FACTOR = {
    "accounts.totp.enrol": [["installation", "person", "bob", "bob", "1"]],
    "accounts.second_factor.reset": [["installation", "person", "bob", "bob", "1"], ["installation", "terminal", "nobody", "bob", "1"]],
    "accounts.backup_code.check": [["installation", "person", "bob", "bob", "1"]],
}
OF_REVEALING = {
    "organizations.member.suspend_revealing": [
        [place, *by, "bob", "1"] for place in ("else", "own") for by in (("person", "bob"), ("terminal", "nobody"))
    ],
    "organizations.member.confirm_revealing": [["own", "person", "alice", "bob", "1"]],
}
TOLD_TRIES = {"else": 9, "own": 3}


def lost(host: Host) -> dict[str, Any]:
    return host.trial("a lost second factor", lose)


@control("AUTH-014", active=True)
def test_a_reset_leaves_no_device_no_code_and_no_session(host: Host, see: Witness) -> None:
    seen = lost(host)
    see.exactly("devices and codes before", seen["had"], {"devices": 2, "codes": 10}, show=DEVICES)
    see.exactly("devices and codes that are left", seen["left"], {"devices": 0, "codes": 0}, show=DEVICES)
    see.exactly("where what the person had leads then (200: refused, 410: void), and the new link", seen["led to"], LED_TO, show=RESET)


@control("AUTH-014", active=True)
def test_the_person_and_each_organisation_read_of_it(host: Host, see: Witness) -> None:
    seen = lost(host)
    see.exactly("whether the person's page tells of it, before and then", [seen["told before"], seen["told"]], [False, True], show=RESET)
    see.exactly("where a link that replaces the factor leads", seen["by a link"], "/enrol/totp/")
    see.exactly("events in the logs of the organisations", seen["of revealing"], OF_REVEALING, show=EVENTS)


@control("AUTH-014", active=True)
def test_nothing_is_revealed_for_a_day_or_until_another_owner_confirms(host: Host, see: Witness) -> None:
    seen = lost(host)
    see.exactly("what is revealed before", seen["revealed before"], {"own": REVEALED, "else": REVEALED}, show=RESET)
    see.exactly("what is revealed then", seen["revealed then"], {"own": REFUSED, "else": REFUSED}, show=RESET)
    see.exactly("where it leads that somebody confirms (200: refused)", seen["confirmed by"], CONFIRMED)
    confirmed = {"own": REVEALED, "else": REFUSED}
    see.exactly("what is revealed once an owner confirmed in one of two", seen["revealed once alice confirmed"], confirmed, show=RESET)
    after = {"1439": REFUSED, "1441": REVEALED}
    see.exactly("what is revealed in the other after so many minutes", seen["revealed after"], after, show=RESET)
    see.exactly("tries that the logs of the organisations have", seen["tries that are told"], TOLD_TRIES, show=EVENTS)


@probe("AUTH-014", touches=("vault: guard",))
def people_complain_that_they_cannot_work_for_a_day(host: Host) -> None:
    patch_application(host, "vault/guard.py", "    if sentence := suspension(membership, assurance.user):\n", "    if sentence := '':\n")


@probe("AUTH-014", touches=("factors",))
def organisations_are_not_troubled_with_what_the_help_desk_does(host: Host) -> None:
    troubled = '    for membership in user.memberships.order_by("organization_id"):\n'
    patch_application(host, "accounts/factors.py", troubled, "    for membership in user.memberships.none():\n")


@control("OPS-011", active=True)
def test_a_factor_that_was_taken_over_goes_whole_and_only_a_new_link_leads_back(host: Host, see: Witness) -> None:
    seen = lost(host)
    see.exactly("devices and codes before", seen["had"], {"devices": 2, "codes": 10}, show=DEVICES)
    see.exactly("devices and codes that are left", seen["left"], {"devices": 0, "codes": 0}, show=DEVICES)
    see.exactly("where the password, a link of before and the new link lead", seen["led to"], LED_TO, show=RESET)


@probe("OPS-011", touches=("factors",), spoils=("AUTH-014",))
def codes_on_paper_are_left_to_whoever_has_the_paper(host: Host) -> None:
    patch_application(host, "accounts/factors.py", "    BackupCode.objects.filter(user=user).delete()\n", "")


@control("AUD-003", active=True)
def test_what_becomes_of_a_second_factor_is_told_with_who_did_it_to_whom(host: Host, see: Witness) -> None:
    seen = lost(host)
    see.exactly("where a backup code leads", seen["a backup code"], "/")
    see.exactly("where a link that replaces the factor leads", seen["by a link"], "/enrol/totp/")
    see.exactly("events of the factor", seen["of the factor"], OF_THE_FACTOR, show=EVENTS)


@probe("AUD-003", touches=("factors",))
def a_line_for_each_organisation_is_thought_to_be_enough(host: Host) -> None:
    told = "    record(Action.SECOND_FACTOR_RESET, actor=actor, origin=origin, target=target, success=True)\n"
    patch_application(host, "accounts/factors.py", told, "")
