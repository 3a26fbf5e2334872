"""People at their browsers: two organisations, a member who may little, and somebody who guesses passwords.

The application is asked over its own socket: what nginx and fail2ban add before it is looked at by others.
"""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
LOCKOUTS = "sudo casemate lockouts"
EVENTS = "sudo mariadb casemate_audit -e 'SELECT * FROM event ORDER BY id DESC LIMIT 50'"
CODES = "sudo mariadb casemate -e 'SELECT user_id, number, used_at, SUBSTRING_INDEX(code_hash, CHAR(36), 4) FROM accounts_backupcode'"
DEVICES = "sudo mariadb casemate -e 'SELECT confirmed, HEX(seed) FROM accounts_totpdevice'"
ROUTES = "sudo casemate shell --command 'from django.urls import get_resolver; print(get_resolver().url_patterns)'"


@control("AUTH-010", active=True)
def test_a_password_alone_opens_enrolment_and_sign_out(host: Host, see: Witness, expected: Expected) -> None:
    walked = host.household("with the password alone").seen["enrolments"]["carol"]["with the password alone"]
    see.at_least("addresses that were walked", len(walked), expected["people"]["addresses"], show=ROUTES)
    opened = {path: answer for path, answer in walked.items() if answer != "/sign-in/verify/"}
    see.exactly("what is not sent to the second factor", opened, expected["people"]["opened_by_password"])


@probe("AUTH-010", touches=("gate",), spoils=("APP-013", "AUD-005", "AUTH-013", "AUTH-020"))
def a_second_factor_is_left_out_for_a_demonstration(host: Host) -> None:
    patch_application(host, "accounts/gate.py", "if level is Access.SIGNED_IN and not signed_in(request):", "if False:")


@control("AUTH-011", active=True)
def test_a_key_is_shown_once_and_counts_once_a_code_of_it_was_right(host: Host, see: Witness) -> None:
    people = host.household().seen
    for name, enrolment in people["enrolments"].items():
        key = enrolment["the key"]
        see.exactly(f"{name}: characters of the key at two loads of the page", key["characters"], [32, 32])
        see.exactly(f"{name}: whether the second load has another key", key["another at the second load"], True)
        see.exactly(f"{name}: where a wrong code leads, and the start page then", enrolment["wrong code"], ["200", "/sign-in/verify/"])
        see.exactly(f"{name}: characters of the key on the page after a wrong code", key["after a wrong code"], 0)
        see.exactly(f"{name}: what a right code leads to, and the start page then", enrolment["right code"], ["200", "200"])
        see.exactly(f"{name}: pages that have the key afterwards", key["pages that have it once it counts"], [])
    see.exactly("keys at rest", people["keys at rest"], {"rows": 3, "confirmed": 3, "readable": 0}, show=DEVICES)


@probe("AUTH-011", touches=("services: new key",))
def a_page_that_is_loaded_again_shows_the_same_key_since_people_reload_it(host: Host) -> None:
    patch_application(
        host, "accounts/services.py", "    device.seed = new_seed()\n", "    if device._state.adding:\n        device.seed = new_seed()\n"
    )


@control("AUTH-012", active=True)
def test_ten_codes_come_with_an_enrolment_and_each_opens_once(host: Host, see: Witness) -> None:
    people = host.household("backup codes").seen
    for name, enrolment in people["enrolments"].items():
        see.exactly(f"{name}: codes on the page that follows the right code", enrolment["backup codes"], 10)
    wanted = {
        "the first time": "/",
        "the second time": "200",
        "the start page after that": "/sign-in/verify/",
        "twice at the same time": ["/", "200"],
        "new ones": 10,
        "shown again": 0,
        "an old one": "200",
        "a new one": "/",
    }
    see.exactly("where codes lead (200: refused)", people["backup codes"], wanted, show=CODES)
    argon = "argon2$argon2id$v=19$m=19456,t=2,p=1"
    see.exactly("codes at rest", people["backup codes at rest"], {"rows": 30, "different": 30, "readable": 0, "kept as": argon}, show=CODES)


@probe("AUTH-012", touches=("backup codes",))
def a_code_opens_again_since_mail_gets_lost(host: Host) -> None:
    patch_application(host, "accounts/backup_codes.py", "            kept.used_at = timezone.now()\n", "")


@probe("AUTH-012", touches=("backup codes",))
def codes_are_kept_as_they_are_since_ten_hashes_take_long(host: Host) -> None:
    patch_application(host, "accounts/backup_codes.py", "hasher.encode(plain(code), hasher.salt())", "plain(code)")
    patch_application(host, "accounts/backup_codes.py", "CodeHasher().verify(typed, kept.code_hash)", "typed == kept.code_hash")


@control("AUTH-013", active=True)
def test_each_sign_in_asks_for_the_second_factor(host: Host, see: Witness) -> None:
    people = host.household("guessing").seen
    *_wrong, right, start_page, code = people["guessing"]["four wrong, the right one, the start page, the code"]
    see.exactly("where the right password leads", right, "/sign-in/verify/")
    see.exactly("where the start page leads then", start_page, "/sign-in/verify/")
    see.exactly("where the code leads", code, "/")
    for name, enrolment in people["enrolments"].items():
        see.exactly(f"what a wrong code opens to {name}", enrolment["wrong code"], ["200", "/sign-in/verify/"])


@probe("AUTH-013", touches=("views: sign-in", "wsgi"), spoils=("APP-013", "AUTH-010", "AUTH-021", "WEB-018"))
def browsers_are_remembered(host: Host) -> None:
    kept = 'start_session(request, user)\n            finish_session(request)\n            return redirect("verify")'
    patch_application(host, "accounts/views.py", 'start_session(request, user)\n            return redirect("verify")', kept)


@control("AUTH-016", active=True)
def test_five_failures_lock_the_person_at_the_address(host: Host, see: Witness) -> None:
    household = host.household("locks")
    guessing, locks = household.seen["guessing"], household.locks
    see.exactly("five wrong passwords", guessing["five wrong"], [200, 200, 200, 200, 429])
    see.exactly("the right one then", guessing["the right one then"], 429)
    see.exactly("the right one from another address", locks["from another address"], 302)
    see.exactly("a person who does not exist", guessing["an unknown person"], [200, 200, 200, 200, 429, 429])
    see.exactly("whether the two pages are the same", guessing["both pages are the same"], True)


@probe("AUTH-016", touches=("settings: lock-out",), spoils=("AUTH-017", "AUTH-019", "AUTH-020"))
def people_complain_that_they_are_locked_out(host: Host) -> None:
    patch_application(host, "settings.py", "AXES_FAILURE_LIMIT = 5 ", "AXES_FAILURE_LIMIT = 500 ")


@control("AUTH-017", active=True)
def test_a_lock_ends_after_an_hour(host: Host, see: Witness) -> None:
    household = host.household("locks")
    later = household.locks["minutes later"]
    see.exactly("a wrong password 59 minutes later (429: still locked)", later["59"], 429, show=LOCKOUTS)
    see.exactly("a wrong password 61 minutes later (200: merely wrong)", later["61"], 200, show=LOCKOUTS)
    see.exactly("whether the page speaks of the address and names nobody", household.seen["guessing"]["the page then"], True)
    see.exactly("seconds to wait that it says", household.seen["guessing"]["retry after"], "3600")


@probe("AUTH-017", touches=("settings: cool-off",), spoils=("AUTH-020",))
def a_lock_lasts_a_day(host: Host) -> None:
    patch_application(host, "settings.py", "AXES_COOLOFF_TIME = timedelta(hours=1)", "AXES_COOLOFF_TIME = timedelta(days=1)")


@control("AUTH-018", active=True)
def test_a_sign_in_clears_the_count(host: Host, see: Witness) -> None:
    guessing = host.household("guessing").seen["guessing"]
    first = guessing["four wrong, the right one, the start page, the code"]
    see.exactly("four wrong passwords", first[:4], [200, 200, 200, 200])
    see.exactly("a whole sign-in", [first[4], first[6]], ["/sign-in/verify/", "/"])
    see.exactly("four more wrong passwords", guessing["five wrong"][:4], [200, 200, 200, 200])


# Where nobody is locked out, it would not be seen that nobody is forgiven.
@probe("AUTH-018", touches=("services: codes", "settings: lock-out"), spoils=("AUTH-016",))
def nobody_is_forgiven(host: Host) -> None:
    patch_application(host, "accounts/services.py", "        lockout.forgive(user.email, origin)\n", "        pass\n")


@control("AUTH-019", active=True)
def test_a_lock_survives_a_restart(host: Host, see: Witness) -> None:
    see.exactly("the right password after a restart", host.household("locks").locks["after a restart"], 429, show=LOCKOUTS)


@probe("AUTH-019", touches=("wsgi",), spoils=("AUTH-017",))
def each_start_begins_with_a_clean_table(host: Host) -> None:
    swept = "application = get_wsgi_application()\nfrom axes.models import AccessAttempt\n\nAccessAttempt.objects.all().delete()"
    patch_application(host, "wsgi.py", "application = get_wsgi_application()", swept)


@control("AUTH-020", active=True)
def test_a_lock_is_seen_and_lifted_for_one_person(host: Host, see: Witness) -> None:
    household = host.household("locks")
    see.exactly("who is listed as locked out", household.locks["listed"], ["alice", "nobody"], show=LOCKOUTS)
    see.exactly("tries once alice's lock was lifted", household.locks["once lifted"], {"alice": 302, "nobody": 429})
    told = [
        (event["action"], event["target_label"])
        for event in household.events
        if event["action"] in ("accounts.lock_out", "accounts.unlock")
    ]
    both = [("accounts.lock_out", "alice"), ("accounts.lock_out", "nobody"), ("accounts.unlock", "alice")]
    see.exactly("events of locks", told, both, show=EVENTS)


@probe("AUTH-020", touches=("services: unlock",), spoils=("AUTH-017",))
def all_locks_are_lifted_at_once(host: Host) -> None:
    one = "        attempts = attempts.filter(username=lockout.typed(email))\n"
    patch_application(host, "accounts/services.py", one, "        pass\n")


@control("AUTH-021", active=True)
def test_an_eleventh_attempt_within_the_hour_waits(host: Host, see: Witness) -> None:
    household = host.household("locks")
    see.exactly("eleven tries with the right password", household.seen["guessing"]["right, eleven times"], [302] * 10 + [429])
    see.at_least("seconds to wait after that", household.seen["guessing"]["retry after that"], 3000)
    see.exactly("a try while the limiter is away", household.locks["without the limiter"], 503)


@probe("AUTH-021", touches=("tries",), spoils=("AUTH-020",))
def a_hundred_tries_are_thought_to_be_enough(host: Host) -> None:
    patch_application(host, "accounts/tries.py", "FOR_ALL, FOR_ONE = 100, 10", "FOR_ALL, FOR_ONE = 100, 100")


@control("AUTH-023", active=True)
def test_every_address_asks_who_is_there(host: Host, see: Witness, expected: Expected) -> None:
    walked = host.household("anonymous").seen["anonymous"]
    see.at_least("addresses that were walked", len(walked), expected["people"]["addresses"], show=ROUTES)
    opened = {path: answer for path, answer in walked.items() if answer != "/sign-in/"}
    see.exactly("what is not sent to the sign-in", opened, expected["people"]["public"])


@probe("AUTH-023", touches=("views: profile",), spoils=("AUD-005", "AUD-011", "AUTH-010", "AUTH-013", "AUTH-014", "AUTH-016", "OPS-011"))
def a_page_is_opened_for_everybody(host: Host) -> None:
    everybody = "@access(Access.ANYONE)\n@require_safe\ndef profile("
    patch_application(host, "accounts/views.py", "@access(Access.SIGNED_IN)\n@require_safe\ndef profile(", everybody)


@control("AUTH-029")
def test_the_ways_to_sign_in_stand_in_their_order(host: Host, see: Witness, expected: Expected) -> None:
    ways = host.inside["application"]["backends"]
    see.exactly("ways to sign in, in their order", ways, expected["people"]["backends"], show="sudo casemate diffsettings --all")


@probe("AUTH-029", touches=("settings: backends",), spoils=("AUD-005", "AUD-011", "AUTH-016", "AUTH-018", "AUTH-019", "AUTH-020"))
def the_way_with_the_lock_is_left_out(host: Host) -> None:
    patch_application(host, "settings.py", '"axes.backends.AxesStandaloneBackend", ', "")


@control("APP-011", active=True)
def test_a_session_is_a_random_reference(host: Host, see: Witness) -> None:
    household = host.household()
    for name, enrolment in household.seen["enrolments"].items():
        see.exactly(f"whether {name}'s cookie is 32 random characters", enrolment["the key is random and nothing else"], True)
        see.exactly(f"where the stored digest of it leads, as {name}'s cookie", enrolment["the digest opens"], "/sign-in/")
    see.exactly("rows in the database under the digests", household.sessions, 3)


@probe("APP-011", touches=("sessions",), spoils=("APP-012",))
def sessions_are_stored_as_they_are(host: Host) -> None:
    patch_application(host, "accounts/sessions.py", "return hashlib.sha256(session_key.encode()).hexdigest()", "return session_key")


@control("APP-012", active=True)
def test_a_session_ends_by_itself(host: Host, see: Witness, expected: Expected) -> None:
    household = host.household("ages")
    ages, show = household.seen["ages"], "casemate/accounts/gate.py"
    see.exactly("where the right password leads", ages["young"], ["/sign-in/verify/", "/sign-in/verify/"])
    see.exactly("where it leads after minutes without a request", ages["idle"], expected["sessions"]["idle"], show=show)
    see.exactly("where it leads after minutes in all, used meanwhile", ages["in all"], expected["sessions"]["in_all"], show=show)
    for name, enrolment in household.seen["enrolments"].items():
        see.exactly(f"what keeps {name}'s cookie beyond the browser", enrolment["the cookie is kept by"], [])


@probe("APP-012", touches=("gate: age",), spoils=("X-17",))
def somebody_complains_of_too_many_sign_ins(host: Host) -> None:
    patch_application(
        host, "accounts/gate.py", "if now - started > settings.SESSION_ABSOLUTE or now - seen > settings.SESSION_IDLE:", "if False:"
    )


@control("APP-013", active=True)
def test_signing_in_makes_a_new_session(host: Host, see: Witness) -> None:
    for name, enrolment in host.household().seen["enrolments"].items():
        see.exactly(f"whether {name}'s key changed with the second factor", enrolment["the key changed"], True)
        see.exactly(f"where {name}'s old key leads", enrolment["the old key opens"], "/sign-in/")


@probe("APP-013", touches=("gate: finish",))
def the_key_stays_the_same(host: Host) -> None:
    patch_application(host, "accounts/gate.py", "    request.session.cycle_key()\n", "")


@control("AUTH-024", active=True)
def test_each_role_opens_at_each_address_what_the_table_says(host: Host, see: Witness, expected: Expected) -> None:
    seen, table = host.household("each role").seen["each role"], expected["people"]["rights"]
    known = expected["people"]["order_of_rights"]
    see.exactly("roles that can be chosen", set(seen), set(known), show="casemate/tenancy/permissions.py")
    for number, role in enumerate(known):
        wanted = {address: answers[number] for address, answers in table.items()}
        see.exactly(f"where each address leads as {role}", seen.get(role, {}), wanted, show="casemate/tenancy/permissions.py")


@probe("AUTH-024", touches=("permissions",), spoils=("X-18",))
def viewers_are_let_see_a_password_while_somebody_is_on_holiday(host: Host) -> None:
    patch_application(
        host, "tenancy/permissions.py", "_MEMBER | {Permission.VAULT_VIEW}", "_MEMBER | {Permission.VAULT_VIEW, Permission.VAULT_REVEAL}"
    )
