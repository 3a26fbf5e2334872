"""Passwords and second factors that are made anew: who is out by it, and how the hash of an old one is kept."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.renewing import renew
from verification.witness import Witness

Expected = dict[str, Any]
HASHES = "sudo mariadb casemate -e \"SELECT email, SUBSTRING_INDEX(password, '$', 4) FROM accounts_user\""
SESSIONS = "sudo mariadb casemate -e 'SELECT user_id, expire_date FROM accounts_session'"
LINKS = "sudo mariadb casemate -e 'SELECT user_id, used_at, revoked_at FROM accounts_enrolmentlink'"


def renewed(host: Host) -> dict[str, Any]:
    return host.trial("passwords and factors made anew", renew)


@control("AUTH-002", active=True)
def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_sign_in(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = renewed(host)["hash"], expected["renewal"]
    see.exactly("how the password was put into the database", seen["weak"], wanted["weak_hash"], show=HASHES)
    see.exactly("where it leads", seen["where the right password leads"], "/sign-in/verify/")
    see.exactly("how it is kept after that", seen["after it"], expected["password_hash"], show=HASHES)
    see.exactly("where it leads by the new hash", seen["where it leads once more"], "/sign-in/verify/")


@control("AUTH-002", active=True)
def test_an_unknown_name_takes_as_long_as_a_known_one(host: Host, see: Witness, expected: Expected) -> None:
    quickest, wanted = renewed(host)["milliseconds"], expected["renewal"]
    share = round(quickest["unknown"] / max(quickest["known"], 1), 2)
    see.at_least("the quickest refusal of an unknown name, in parts of a known one's", share, wanted["at_least"])
    see.at_most("the same, the other way round", share, wanted["at_most"])
    see.at_least("milliseconds that a refusal takes, so that a hash can be in them", quickest["known"], wanted["milliseconds"])


@probe("AUTH-002", touches=("backend: password",))
def the_backend_is_written_anew_after_an_old_tutorial(host: Host) -> None:
    """It compares and does no more: it renews no hash, and who is unknown is refused at once."""
    careful = "            make_password(password)\n            return None\n        right = user.check_password(password)\n"
    simple = (
        "            return None\n        from django.contrib.auth.hashers import check_password\n\n"
        "        right = check_password(password, user.password)\n"
    )
    patch_application(host, "accounts/backends.py", careful, simple)


@control("AUTH-026", active=True)
def test_a_new_password_ends_the_other_sessions(host: Host, see: Witness) -> None:
    seen = renewed(host)["change"]
    see.exactly("the start page once enrolled, and where a second sign-in led", [seen["enrolled"], seen["signed in"]], ["200", "/"])
    see.exactly("what two sessions open before", seen["before"], ["200", "200"], show=SESSIONS)
    see.exactly("where a new password leads that is set by a link", seen["a new password"], "/enrol/totp/")
    see.exactly("where the two sessions lead then", seen["then"], ["/sign-in/", "/sign-in/"], show=SESSIONS)
    see.exactly("what the old password is answered", seen["the old password"], "200")


@control("AUTH-026", active=True)
def test_a_new_factor_ends_the_sessions_that_wait_for_it(host: Host, see: Witness) -> None:
    seen = renewed(host)["change"]
    see.exactly("where somebody comes who has the new password", seen["the new one"], ["/sign-in/verify/", "/enrol/totp/"])
    see.exactly("what the new factor leads to, and the start page then", [seen["a new factor"], seen["whose factor it is"]], ["200", "200"])
    see.exactly("where all other sessions lead then", seen["at last"], ["/sign-in/"] * 3, show=SESSIONS)


@control("AUTH-026", active=True)
def test_links_end_with_a_newer_one_and_with_the_change(host: Host, see: Witness) -> None:
    seen = renewed(host)["change"]
    see.exactly("two links, the newer one last, before the change", seen["links before"], ["410", "200"], show=LINKS)
    see.exactly("the same after the new password", seen["links then"], ["410", "410"], show=LINKS)
    see.exactly("the same after the new factor", seen["links at last"], ["410", "410"], show=LINKS)


@probe("AUTH-026", touches=("services: sessions", "accounts: models"), spoils=("X-17",))
def people_are_to_stay_signed_in_on_all_their_devices(host: Host) -> None:
    """The rows stay, and so does what Django compares in each of them."""
    patch_application(host, "accounts/services.py", "    ended, _models = rows.delete()\n", "    ended = 0\n")
    called = "    @property\n    def called(self) -> str:\n"
    kept = '    def get_session_auth_hash(self) -> str:\n        return "kept"\n\n'
    patch_application(host, "accounts/models.py", called, f"{kept}{called}")
