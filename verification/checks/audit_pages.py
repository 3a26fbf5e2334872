"""The pages of the audit log: whoever may open them reads, and nobody does anything else there."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.standing import looked_at
from verification.witness import Witness

Expected = dict[str, Any]
PAGES = "grep -n audit casemate/urls.py casemate/organizations/urls.py"
RIGHTS = "casemate/tenancy/permissions.py"
REFUSED = ("change an event", "delete an event", "replace an event")


def seen_of(host: Host) -> Expected:
    return host.trial("audit pages", lambda host: looked_at(host, "audit_pages", "audit_pages"))


@control("AUD-016")
def test_there_are_two_pages_and_the_database_refuses_what_they_do_not_offer(host: Host, see: Witness, expected: Expected) -> None:
    routes = host.inside["application"]["routes"]
    found = {path for path in routes if "audit" in path or "admin" in path}
    see.exactly("addresses of the audit log and of an administration", found, set(expected["audit"]["pages"]), show=PAGES)
    attempts = host.inside["as_accounts"]["app"]
    for name in REFUSED:
        see.exactly(f"{name}, as casemate_app", attempts[name], expected["audit"]["attempts"][name], show="casemate dbshell")


@control("AUD-016", active=True)
def test_they_open_to_those_who_may_read_them_and_to_nobody_else(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = seen_of(host)["opened"], expected["audit"]["pages"]
    see.exactly("pages that were asked for", set(seen), set(wanted), show=PAGES)
    for page, answers in wanted.items():
        see.exactly(f"where {page} leads, by who asks", seen.get(page, {}), answers, show=RIGHTS)


@control("AUD-016", active=True)
def test_a_reader_is_refused_every_method_but_reading(host: Host, see: Witness, expected: Expected) -> None:
    seen = seen_of(host)
    see.exactly("readers who tried", set(seen["tried"]), set(expected["audit"]["readers"]))
    for reader, answers in seen["tried"].items():
        see.exactly(f"{reader}: what came of each method", answers, expected["audit"]["methods"], show="curl --request METHOD")
    see.at_least("events of the organisation before that", seen["events"], 5)
    see.exactly("of which are gone or another after it", seen["other events"], 0)


@control("AUD-016", active=True)
def test_the_pages_offer_a_search_and_nothing_else(host: Host, see: Witness, expected: Expected) -> None:
    seen = seen_of(host)["offers"]
    see.exactly("readers who looked", set(seen), set(expected["audit"]["readers"]))
    for reader, offers in seen.items():
        see.exactly(f"{reader}: forms, by their method", offers["forms"], ["get"])
        see.exactly(f"{reader}: other ways to send something", offers["sends"], [])
        see.exactly(f"{reader}: links that lead elsewhere", offers["leads elsewhere"], [])
        see.at_least(f"{reader}: events on it", offers["lines"], 1)


@control("AUD-016", active=True)
def test_what_people_typed_is_text_on_them(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.household("markup").seen["markup"], expected["typed"]["shown"]
    for page in expected["audit"]["shows_what_was_typed"]:
        here = seen.get(page, {})
        see.exactly(f"scripts that are text on {page}", set(here.get("as text", [])), set(wanted[page]))
        see.exactly(f"scripts that are markup on {page}", here.get("as markup", ["the page was not seen"]), [])


@probe("AUD-016", touches=("trail", "template: audit"))
def auditors_ask_for_a_button_that_tidies_up(host: Host) -> None:
    """The page takes its form; what that does is to come with the next release."""
    guarded = "@permission(Permission.AUDIT_VIEW)\n@require_safe\n"
    patch_application(host, "organizations/trail.py", guarded, "@permission(Permission.AUDIT_VIEW)\n")
    button = '<form method="post">{% csrf_token %}<button type="submit">Delete</button></form>\n</search>'
    patch_application(host, "organizations/*/organizations/audit.html", "</search>", button)


@probe("AUD-016", touches=("permissions",), spoils=("AUTH-024",))
def everybody_may_read_the_log_since_nobody_has_anything_to_hide(host: Host) -> None:
    of_viewers = "_MEMBER | {Permission.VAULT_VIEW}"
    patch_application(host, "tenancy/permissions.py", of_viewers, "_MEMBER | {Permission.VAULT_VIEW, Permission.AUDIT_VIEW}")


@probe("AUD-016", touches=("template: audit",), spoils=("APP-020",))
def a_name_with_an_umlaut_looked_wrong_in_the_log(host: Host) -> None:
    shown = "<strong>{{ line.to_whom }}</strong>"
    patch_application(host, "organizations/*/organizations/audit.html", shown, "<strong>{{ line.to_whom|safe }}</strong>")
