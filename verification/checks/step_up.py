"""The second factor once more: what hurts most is refused without a fresh one, by the page and by the service behind it."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.household import SESSION
from verification.marks import control, probe
from verification.standing import looked_at
from verification.witness import Witness

Expected = dict[str, Any]
EVENTS = "sudo mariadb casemate_audit -e 'SELECT * FROM event ORDER BY id DESC LIMIT 50'"
SERVICES = "grep -rn require_fresh casemate"
ROLES = "sudo mariadb casemate -e 'SELECT id, role FROM tenancy_membership'"


def stepped(host: Host, expected: Expected) -> Expected:
    ages = sorted(int(minutes) for minutes in expected["step_up"]["ages"])
    return host.trial("the second factor again", lambda host: looked_at(host, "step_up", "step_up", session=SESSION, ages=ages))


@control("X-15", active=True)
def test_a_factor_is_fresh_for_minutes_and_then_asked_for_again(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = stepped(host, expected), expected["step_up"]
    show = "casemate/accounts/assurance.py"
    see.exactly("where a secret's page leads with a factor of so many minutes", seen["ages"], wanted["ages"], show=show)
    see.exactly("addresses that ask for it after 11 minutes", set(seen["asked for again"]), set(wanted["addresses"]), show=show)


@control("X-15", active=True)
def test_no_form_is_taken_with_a_factor_that_is_too_old(host: Host, see: Witness, expected: Expected) -> None:
    seen = stepped(host, expected)
    leads = {route: f"/step-up/ for {route}" for route in expected["step_up"]["addresses"]}
    see.exactly("where each form leads then", seen["forms"], leads)
    see.exactly("events of what was refused", seen["acts"], [], show=EVENTS)
    see.exactly("the role that was to be changed, and the membership that was to end", seen["role"], "viewer", show=ROLES)


@control("X-15", active=True)
def test_the_services_themselves_refuse_it(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = stepped(host, expected), expected["step_up"]["services"]
    see.exactly("services that refuse a factor that is too old", set(seen["asks"]), set(wanted["ask"]), show=SERVICES)
    see.exactly("services that are told how old it is, and do not ask", set(seen["others"]), set(wanted["do_not_ask"]), show=SERVICES)
    refused = {name.rpartition(".")[2]: "StepUpRequired" for name in wanted["ask"]}
    see.exactly("what came of each, called past its page", seen["called"], refused, show="sudo casemate shell")


@control("X-15", active=True)
def test_with_a_fresh_one_the_same_is_done(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = stepped(host, expected)["fresh"], expected["step_up"]["fresh"]
    see.exactly("status of a secret's form, and whether it shows the secret", seen["reveal"], [200, True])
    see.exactly("where the form of a role leads, and the role then", [seen["role"], seen["role then"]], wanted["role"], show=ROLES)
    see.exactly("what came of each service", seen["called"], wanted["called"], show="sudo casemate shell")
    see.exactly("events of it", seen["acts"], wanted["acts"], show=EVENTS)


@probe("X-15", touches=("vault: reveals",))
def the_page_asks_already_so_the_service_need_not(host: Host) -> None:
    """The next page for a secret, for the telephone, then asks nobody."""
    asked = "    assurance.require_fresh()\n    allow(membership, assurance, Permission.VAULT_REVEAL)\n"
    patch_application(host, "vault/reveals.py", asked, "    allow(membership, assurance, Permission.VAULT_REVEAL)\n")


@probe("X-15", touches=("organizations: services",))
def roles_are_changed_without_it_on_a_busy_day(host: Host) -> None:
    patch_application(host, "organizations/services.py", "    assurance.require_fresh()\n", "")


@probe("X-15", touches=("settings: step-up",), spoils=("APP-018",))
def the_second_factor_holds_for_a_working_day(host: Host) -> None:
    ten_minutes = 'STEP_UP_AGE = timedelta(minutes=5 if _environment.profile == "strict" else 10)'
    patch_application(host, "settings.py", ten_minutes, "STEP_UP_AGE = timedelta(hours=8)")
