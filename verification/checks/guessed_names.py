"""What people are called: nobody has a name that everybody tries first, and nobody is there whom no enrolment made."""

import secrets
from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.household import move_out, rows
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
PEOPLE = "sudo casemate second_factors"
LINKS = "sudo mariadb casemate_audit -e \"SELECT target_label, at FROM event WHERE action = 'accounts.enrolment_link.issue'\""
WAYS = ("enrol_operator", "create_organization", "add_member")


@control("APP-022")
def test_nobody_has_a_name_that_is_tried_first_or_was_there_before_the_first_enrolment(host: Host, see: Witness) -> None:
    seen = host.inside["people_called"]
    see.exactly(f"of {seen['people']} people, those called admin, root or the like", seen["with such a name"], 0, show=PEOPLE)
    see.exactly(f"of {seen['people']} people, those whom no enrolment link made", seen["without a link"], 0, show=LINKS)


@control("APP-022", active=True)
def test_nobody_gets_such_a_name(host: Host, see: Witness, expected: Expected) -> None:
    wanted = expected["names_of_people"]
    seen = host.trial("names of people", lambda host: tried(host, wanted["refused"], wanted["taken"]))
    for way in WAYS:
        came = {name: seen[way].get(name, "not tried") for name in wanted["refused"]}
        see.exactly(f"{way}: names that are not refused", {name: how for name, how in came.items() if how != "refused"}, {})
    came = {name: seen["enrol_operator"].get(name, "not tried") for name in wanted["taken"]}
    see.exactly("names that only look like one, and are not taken", {name: how for name, how in came.items() if how != "taken"}, {})
    see.exactly("whether Django's own command makes somebody", "taken" in seen["createsuperuser"].values(), False)
    see.exactly("people who came of all this", seen["made"], sorted(["alice", *wanted["taken"]]), show=PEOPLE)


def tried(host: Host, refused: list[str], taken: list[str]) -> Expected:
    """What came of each name, by command, and who was there in the end; they are removed again."""
    tag = secrets.token_hex(6)
    domain, slugs = f"verify-{tag}.casemate.invalid", [f"verify-{tag}-names", f"verify-{tag}-new"]
    people = {name: {"email": f"{name}@{domain}"} for name in (*refused, *taken, "alice")}
    given = {name: [people[one]["email"] for one in names] for name, names in (("refused", refused), ("taken", taken))}
    try:
        asked = {"sections": ["guessed_names_tried"], "slug": slugs[0], "new": slugs[1], "owner": people["alice"]["email"], **given}
        ways = host.look_inside(asked)["guessed_names_tried"]
        there = rows(host, f"SELECT email FROM casemate.accounts_user WHERE email LIKE '%@{domain}'").split()
        seen = {way: {email.partition("@")[0]: how for email, how in came.items()} for way, came in ways.items()}
        return {**seen, "made": sorted(email.partition("@")[0] for email in there)}
    finally:
        move_out(host, slugs, people)


@probe("APP-022", touches=("accounts: guessed names",))
def the_head_of_it_wants_to_be_called_admin(host: Host) -> None:
    patch_application(host, "accounts/guessed.py", '    *("admin", "administrator", ', '    *("administrator", ')


@probe("APP-022", touches=("services: people",))
def the_refusal_is_in_the_way_of_an_import(host: Host) -> None:
    patch_application(host, "accounts/services.py", "        refuse_guessed(email)\n", "")
