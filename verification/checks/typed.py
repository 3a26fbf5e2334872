"""What people type: it is shown as text wherever it comes again, and a form that a script sends needs its page's token."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
PACKAGE = "/opt/casemate/current/venv/lib/python3*/site-packages/casemate"
FILTERS = f"sudo grep -rnE '\\| *safe|autoescape' --include=*.html {PACKAGE}"
CALLS = f"sudo grep -rnE 'mark_safe|format_html|SafeString|__html__' --include=*.py {PACKAGE}"


@control("APP-010", active=True)
def test_a_form_that_a_script_sends_needs_the_token_of_its_page(host: Host, see: Witness) -> None:
    seen = host.household("by script").seen["by script"]
    wanted = {"with the page's token": "/o/OWN/vault/folders/", "without a token": "403", "with a token of its own": "403"}
    see.exactly("where the form of a folder leads, sent by a script", seen["led to"], wanted, show="X-CSRFToken beside HX-Request")
    see.exactly("folders that came of it", seen["made"], ["with the page's token"])


@probe("APP-010", touches=("vault: folders' view",))
def a_form_is_exempted_whose_script_forgot_the_token(host: Host) -> None:
    guarded = "@permission(Permission.FOLDERS_CHANGE)\n@form_page\n@tells\ndef folder_new("
    exempted = f"from django.views.decorators.csrf import csrf_exempt\n\n\n@csrf_exempt\n{guarded}"
    patch_application(host, "vault/views/folders.py", guarded, exempted)


@control("APP-020", active=True)
def test_a_script_that_was_typed_is_text_on_every_page(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.household("markup").seen["markup"], expected["typed"]["shown"]
    see.exactly("pages that were looked at", set(seen), set(wanted), show="sudo casemate diffsettings --all | grep TEMPLATES")
    for page, kinds in wanted.items():
        here = seen.get(page, {})
        see.exactly(f"scripts that are text on {page}", set(here.get("as text", [])), set(kinds))
        see.exactly(f"scripts that are markup on {page}", here.get("as markup"), [])


@control("APP-020")
def test_nothing_is_taken_for_markup_that_nobody_read(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["taken_as_markup"], expected["typed"]["taken_as_markup"]
    see.exactly("what templates leave unescaped", seen["in templates"], [], show=FILTERS)
    see.exactly("what code says is markup already", set(seen["in code"]), set(wanted["in_code"]), show=CALLS)
    for kind, least in wanted["read"].items():
        see.at_least(f"files .{kind} that were read", seen["read"][kind], least)


@probe("APP-020", touches=("templates: base",))
def an_organisation_wants_its_ampersand_to_look_right(host: Host) -> None:
    """Somebody had escaped the name already when it was typed, and it was escaped once more."""
    named = "{{ request.organization.name }}</a>"
    patch_application(host, "templates/base.html", named, "{{ request.organization.name|safe }}</a>")
