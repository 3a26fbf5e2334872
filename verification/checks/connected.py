"""The application's connection to its database: whom it believes, what it shows of itself, and how long it lasts."""

from typing import Any

from verification.breaking import PACKAGE, patch_application, restart_application
from verification.checks.born import in_the_checkout, on_the_host
from verification.checks.starting import refused
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
SETTINGS = "sudo casemate diffsettings --all | grep DATABASES"
PASSWORD = "database-app-password"  # noqa: S105 its name
# On the host, so that the password stands in no line of the probe's own.
WRITTEN_IN = """
import pathlib, sys
file, secret = map(pathlib.Path, sys.argv[1:])
asked, text = 'credentials.text(f"database-{account}-password")', file.read_text()
text.count(asked) == 1 or sys.exit(f"{file} does not have {asked}")
file.write_text(text.replace(asked, repr(secret.read_text().strip())))
"""
FOR_EVER = 10**9  # seconds: Django's word for it is None


def database(host: Host) -> dict[str, Any]:
    """The entry of Django's DATABASES, as the running application has it."""
    found: dict[str, Any] = host.inside["settings"]["values"]["DATABASES"]["default"]
    return found


@control("DB-005")
def test_the_connection_is_set_to_verify_authority_and_name(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = database(host), expected["connection"]
    see.exactly("name by which it is reached", seen["HOST"], wanted["host"], show=SETTINGS)
    see.exactly("how much of the other side is verified", seen["OPTIONS"].get("ssl_mode"), wanted["ssl_mode"], show=SETTINGS)
    see.exactly("authority", seen["OPTIONS"].get("ssl", {}).get("ca"), wanted["authority"], show=SETTINGS)
    see.exactly("what its own connection goes over", host.inside["settings"]["its own connection goes over"], wanted["over"])


@control("DB-005", active=True)
def test_no_start_succeeds_with_a_database_that_cannot_be_verified(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, expected["refused_starts"]["of the database"])


@probe("DB-005", touches=("settings: database tls",), spoils=("APP-018", "X-11"))
def to_be_encrypted_is_thought_to_be_enough(host: Host) -> None:
    patch_application(host, "configuration.py", '"ssl_mode": "VERIFY_IDENTITY"', '"ssl_mode": "REQUIRED"')


@probe("DB-005", touches=("starting: away",), spoils=("X-11",))
def a_certificate_that_was_about_to_be_renewed_is_waited_for(host: Host) -> None:
    """The service had not come back one night; since then a database that cannot be verified passes for one that is away."""
    patch_application(host, "starting.py", "AWAY = {NO_SOCKET, NO_HOST, GONE, LOST}", "AWAY = {NO_SOCKET, NO_HOST, GONE, LOST, 2026}")


@control("DB-006")
def test_the_password_is_the_credentials_and_stands_nowhere_else(host: Host, see: Witness) -> None:
    see.exactly("the password in use is the credential's", host.inside["settings"]["from its credential"][PASSWORD], True)
    on_the_host(host, see, PASSWORD)


@control("DB-006", active=True)
def test_it_is_in_no_file_of_the_checkout(host: Host, see: Witness) -> None:
    in_the_checkout(host, see, PASSWORD)


@control("DB-006", active=True)
def test_without_it_the_settings_do_not_load(host: Host, see: Witness) -> None:
    refused(host, see, {f"without {PASSWORD}": f"The credential {PASSWORD} is missing"})


@probe("DB-006", touches=("settings: database password",), spoils=("VAULT-014", "VAULT-015", "X-10", "X-11"))
def the_password_is_written_into_the_settings_to_get_it_going(host: Host) -> None:
    host.sudo(f"python3 - {PACKAGE}/configuration.py /run/credentials/casemate.service/{PASSWORD} <<'CASEMATE'\n{WRITTEN_IN}\nCASEMATE")
    restart_application(host)


@control("DB-007")
def test_connections_are_kept_for_less_than_the_server_waits_and_tested_before(host: Host, see: Witness, expected: Expected) -> None:
    seen, waits = database(host), int(host.inside["database_variables"]["wait_timeout"])
    age = FOR_EVER if seen["CONN_MAX_AGE"] is None else seen["CONN_MAX_AGE"]
    see.at_least("seconds that a connection is kept", age, 1, show=SETTINGS)
    see.at_most("seconds that it is kept at the most", age, expected["connection"]["seconds"], show=SETTINGS)
    show = "sudo mariadb -e \"SHOW GLOBAL VARIABLES LIKE 'wait_timeout'\""
    see.at_least("seconds by which the server waits longer", waits - age, 1, show=show)
    see.exactly("it is tested before each request", seen["CONN_HEALTH_CHECKS"], True, show=SETTINGS)


@control("DB-007", active=True)
def test_nobody_notices_that_the_server_dropped_them(host: Host, see: Witness, expected: Expected) -> None:
    wanted = expected["connection"]
    asked = {"sections": ["dropped_connections"], "site_name": host.declared["site_name"], "requests": wanted["requests"]}
    seen = host.trial("dropped connections", lambda host: dict(host.look_inside(asked)["dropped_connections"]))
    show = "sudo mariadb -e 'SHOW PROCESSLIST'"
    see.exactly("statuses of requests before", seen["before"], [204])
    see.at_least("kept connections that the server dropped", seen["dropped"], 1, show=show)
    see.exactly("of these, connections that are still there", seen["left"], 0, show=show)
    see.exactly("statuses of the requests that follow", seen["after"], [204], show="journalctl -u casemate")
    see.exactly("statuses of as many more", seen["later"], [204], show="journalctl -u casemate")
    see.at_least("connections that were there before these and after", seen["kept"], 1, show=show)
    see.at_most("connections that were made for them", seen["made"], wanted["made"], show="sudo mariadb-admin extended-status")


@probe("DB-007", touches=("settings: database health",), spoils=("APP-018",))
def the_test_before_each_request_is_saved(host: Host) -> None:
    patch_application(host, "configuration.py", '"CONN_HEALTH_CHECKS": True', '"CONN_HEALTH_CHECKS": False')
