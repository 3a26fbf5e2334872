"""The application refuses to start where something is missing or a secret is weak, and says what."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
DATABASE = "a database of another authority"
SHOW = "sudo systemd-run --pipe --wait -p … /opt/casemate/current/venv/bin/gunicorn --config /etc/casemate/gunicorn.conf.py --check-config"


def starts(host: Host) -> dict[str, Any]:
    """What became of each start beside the service, tried once a verification."""
    return host.trial("refused starts", lambda host: dict(host.look_inside({"sections": ["refused_starts"]})["refused_starts"]))


def refused(host: Host, see: Witness, wanted: dict[str, str]) -> None:
    """Each of these starts was refused for its reason; with everything in its place the very same start succeeds."""
    tried = starts(host)
    see.exactly("status of a start with everything", tried["everything"]["status"], 0, show=SHOW)
    for name, reason in sorted(wanted.items()):
        start = tried.get(name, {"status": "not tried", "says": ""})
        see.exactly(f"status of a start, {name}", start["status"], 1, show=SHOW)
        see.exactly(f"it says why: {name}", reason in start["says"], True, show=SHOW)


@control("X-11", active=True)
def test_a_start_with_something_missing_is_refused_and_says_what(host: Host, see: Witness, expected: Expected) -> None:
    credentials = {f"without {name}": f"The credential {name} is missing" for name in expected["credentials_of_the_service"]}
    mistakes = {name for reasons in expected["refused_starts"].values() for name in reasons}
    see.exactly("starts that were tried", set(starts(host)), {"everything", *credentials, *mistakes}, show="systemctl cat casemate.service")
    refused(host, see, {DATABASE: "cannot be verified", **credentials})


@probe("X-11", touches=("settings: secret key",), spoils=("VAULT-014", "VAULT-015", "VAULT-017"))
def a_secret_key_is_made_up_where_there_is_none_so_that_it_starts_in_any_case(host: Host) -> None:
    asked = 'self.secret_key = credentials.text("django-secret-key")'
    patch_application(
        host,
        "configuration.py",
        asked,
        f"try:\n                {asked}\n            except Misconfigured:\n                self.secret_key = secrets.token_urlsafe(64)",
    )


@probe("X-11", touches=("wsgi",), spoils=("DB-005",))
def the_database_is_not_looked_at_before_the_first_request(host: Host) -> None:
    patch_application(host, "wsgi.py", "\nverify_database()\n", "\n")


@control("VAULT-015", active=True)
def test_no_start_succeeds_without_a_secret_or_with_a_weak_one(host: Host, see: Witness, expected: Expected) -> None:
    # What has a suffix is a certificate and its key.
    missing = [name for name in expected["credentials_of_the_service"] if "." not in name]
    weak = expected["refused_starts"]["of weak secrets"]
    refused(host, see, {**{f"without {name}": f"The credential {name} is missing" for name in missing}, **weak})


@control("VAULT-015")
def test_each_value_in_use_is_the_credentials(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.inside["settings"]["credentials of secrets in use"]
    wanted = {name: [name] for name in expected["credentials_of_the_service"] if "." not in name}
    see.exactly("the credentials in which each value stands that is in use", seen, wanted, show="sudo casemate shell")


@probe("VAULT-015", touches=("configuration: weak secrets",))
def the_samples_are_let_pass_for_a_trial(host: Host) -> None:
    patch_application(host, "configuration.py", "    if any(word in value.lower() for word in SAMPLES):\n", "    if False:\n")


@probe("VAULT-015", touches=("configuration: the limiter's password",), spoils=("VAULT-014", "X-11"))
def a_value_to_fall_back_to_is_put_there_for_a_new_developer(host: Host) -> None:
    asked = 'self.limiter_password = credentials.text("limiter-app-password")'
    fallback = 'self.limiter_password = "limiter-of-Casemate-7-3-9-for-all-who-are-new"'
    patch_application(
        host, "configuration.py", asked, f"try:\n                {asked}\n            except Misconfigured:\n                {fallback}"
    )
