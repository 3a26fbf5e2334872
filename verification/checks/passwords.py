"""Passwords as people choose them at their enrolment links: what is refused, with which words, and what is kept of them."""

from typing import Any

from verification.breaking import patch_application
from verification.enrolling import choose_passwords
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
VALIDATORS = "sudo casemate diffsettings --all | grep AUTH_PASSWORD_VALIDATORS"
DUMP = "sudo mariadb-dump --all-databases | grep -c PASSWORD"


def seen_at_the_link(host: Host, expected: Expected) -> dict[str, Any]:
    return host.trial("passwords at the link", lambda host: choose_passwords(host, expected["passwords"]))


def refused(host: Host, see: Witness, expected: Expected, group: str) -> None:
    seen = seen_at_the_link(host, expected)["refused"][group]
    for name, (_password, sentences) in expected["passwords"]["refused"][group].items():
        see.exactly(f"status and sentences for {name}", seen.get(name), ["200", sentences], show=VALIDATORS)


@control("AUTH-003", active=True)
def test_a_password_that_was_chosen_is_nowhere_in_the_database(host: Host, see: Witness, expected: Expected) -> None:
    seen = seen_at_the_link(host, expected)
    taken = expected["passwords"]["taken"]
    see.exactly("who gets in with the passwords that are looked for", seen["opened"], dict.fromkeys(taken, "/sign-in/verify/"))
    see.exactly("status of a wrong guess, which is looked for as well", seen["guessed"], 200)
    see.exactly("what a dump of all databases holds of them", seen["in a dump"], [], show=DUMP)
    see.exactly("what a session holds of them", seen["in a session"], [], show="sudo mariadb casemate -e 'SELECT * FROM accounts_session'")
    # The search itself finds what is there: their addresses stand in the dump in clear, and in a session stands whose it is.
    see.exactly("their addresses that the same search finds", seen["addresses in the dump"], len(taken), show=DUMP)
    see.at_least("sessions that tell whose they are", seen["sessions with a person"], len(taken))


@probe("AUTH-003", touches=("views: enrol",))
def the_password_is_kept_for_a_second_service(host: Host) -> None:
    """A file server wanted the same password, so that people would not have to type it twice."""
    started = 'start_session(request, user)\n            return redirect("enrol-totp")'
    kept = started.replace("return", 'request.session["file_server"] = password\n            return')
    patch_application(host, "accounts/views.py", started, kept)


@control("AUTH-004", active=True)
def test_a_password_has_twelve_characters_of_any_kind(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, expected, "short")
    taken = dict.fromkeys(expected["passwords"]["taken"], "/enrol/totp/")
    see.exactly("where passwords lead that are long enough", seen_at_the_link(host, expected)["taken"], taken, show=VALIDATORS)


@control("AUTH-004")
def test_it_is_set_in_one_place(host: Host, see: Witness, expected: Expected) -> None:
    forms = host.inside["shape"]["forms for a new password"]
    see.exactly("forms for a new password", set(forms), set(expected["passwords"]["forms"]), show="casemate/accounts/forms.py")


@probe("AUTH-004", touches=("settings: length of passwords",), spoils=("APP-018",))
def eight_characters_are_thought_to_be_enough(host: Host) -> None:
    patch_application(host, "settings.py", '"min_length": 12', '"min_length": 8')


@control("AUTH-005", active=True)
def test_a_password_is_not_made_of_ones_own_name(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, expected, "named")


@probe("AUTH-005", touches=("settings: similar passwords",), spoils=("APP-018",))
def people_may_use_their_names(host: Host) -> None:
    patch_application(host, "settings.py", '"user_attributes": ["email", "name"]', '"user_attributes": ["email"]')


@control("AUTH-006", active=True)
def test_a_common_password_is_refused_padded_or_not(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, expected, "common")


@probe("AUTH-006", touches=("settings: padded passwords",), spoils=("APP-018", "AUTH-005"))
def the_list_alone_is_thought_to_do(host: Host) -> None:
    padded = '    {"NAME": "casemate.accounts.passwords.PaddedPasswordValidator"},\n'
    patch_application(host, "settings.py", padded, "")


@control("AUTH-007", active=True)
def test_a_password_of_digits_alone_is_refused(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, expected, "digits")


@probe("AUTH-007", touches=("settings: numeric passwords",), spoils=("APP-018",))
def a_number_of_sixteen_digits_is_let_pass(host: Host) -> None:
    numeric = '    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},\n'
    patch_application(host, "settings.py", numeric, "")


@control("AUTH-027", active=True)
def test_the_rules_stand_on_the_page_before_anything_is_typed(host: Host, see: Witness, expected: Expected) -> None:
    told, wanted = seen_at_the_link(host, expected)["told"], expected["passwords"]["told"]
    see.exactly("rules on the page", told["rules"], wanted["rules"], show=VALIDATORS)
    see.exactly("fields for a password", told["fields"], 2)
    see.exactly("scripts on the page, which might forbid pasting", told["scripts"], 0)
    see.exactly("words of the fields, of which one might", told["words of the fields"], wanted["words"])


@probe("AUTH-027", touches=("page of the password",))
def the_list_is_left_out_because_it_looks_stern(host: Host) -> None:
    rules = '<ul class="rules">{% for rule in rules %}<li>{{ rule }}</li>{% endfor %}</ul>\n'
    patch_application(host, "accounts/*/accounts/enrol_password.html", rules, "")
