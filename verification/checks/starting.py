"""The application refuses to start where something is missing, and says what."""

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

DATABASE = "a database of another authority"


@control("X-11", active=True)
def test_a_start_with_something_missing_is_refused_and_says_what(host: Host, see: Witness, expected: dict[str, list[str]]) -> None:
    starts = host.trial("refused starts", lambda host: dict(host.look_inside({"sections": ["refused_starts"]})["refused_starts"]))
    show = (
        "sudo systemd-run --pipe --wait -p … /opt/casemate/current/venv/bin/gunicorn --config /etc/casemate/gunicorn.conf.py --check-config"
    )
    wanted = {"everything", DATABASE, *(f"without {name}" for name in expected["credentials_of_the_service"])}
    see.exactly("starts that were tried", set(starts), wanted, show="systemctl cat casemate.service")
    see.exactly("status of a start with everything", starts["everything"]["status"], 0, show=show)
    for name in sorted(wanted - {"everything"}):
        start = starts.get(name, {"status": "not tried", "says": ""})
        see.exactly(f"status of a start, {name}", start["status"], 1, show=show)
        reason = "cannot be verified" if name == DATABASE else f"The credential {name.removeprefix('without ')} is missing"
        see.exactly(f"it says why: {name}", reason in start["says"], True, show=show)


@probe("X-11", touches=("settings: secret key",), spoils=("BLD-021",))
def a_secret_key_is_made_up_where_there_is_none_so_that_it_starts_in_any_case(host: Host) -> None:
    asked = 'self.secret_key = credentials.text("django-secret-key")'
    patch_application(
        host,
        "configuration.py",
        asked,
        f"try:\n                {asked}\n            except Misconfigured:\n                self.secret_key = secrets.token_urlsafe(64)",
    )


@probe("X-11", touches=("wsgi",), spoils=("BLD-021",))
def the_database_is_not_looked_at_before_the_first_request(host: Host) -> None:
    patch_application(host, "wsgi.py", "\nverify_database()\n", "\n")
