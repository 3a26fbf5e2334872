"""How secrets come into being: long, random, on the host, once; and they are nobody's but that host's."""

import base64
import zlib
from typing import Any

from verification.breaking import patch_application
from verification.checks.starting import refused
from verification.host import Host
from verification.inventory import ROOT
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import CannotRun, NotTestable

Expected = dict[str, Any]
PROGRAM = "/usr/local/sbin/casemate-credentials"
ENSURE = "sudo casemate-credentials ensure"
STORE, CREDENTIALS = "/etc/credstore.encrypted", "sudo ls /run/credentials/casemate.service"
KEY = "django-secret-key"
SEARCHED = (KEY, "database-app-password")
# Stands in the checkout, so that a search which finds nothing at all is seen.
KNOWN = "LoadCredentialEncrypted=django-secret-key:"


def on_the_host(host: Host, see: Witness, name: str) -> None:
    """A secret was searched for where none must be, and is not there: nor is one of which it is not known which."""
    search = host.inside["secrets_in_sight"]
    see.exactly(f"{name} was searched for", name in search["searched_for"], True, show="sudo ls /run/credentials/casemate.service")
    others = {*search["searched_for"]} - {name}
    places = [place for place in search["places"] if place.partition(" in ")[0] not in others]
    show = "sudo cat /proc/PID/environ /proc/PID/cmdline; sudo grep -rF … /etc /opt/casemate"
    see.exactly("environments, arguments, files and parts of the release in which it stands", places, [], show=show)


def in_the_checkout(host: Host, see: Witness, name: str) -> None:
    """The checkout goes to the host and is searched there, since a secret does not leave it."""
    seen = host.trial("secrets in the checkout", _searched)
    show = "git grep -F …"
    see.exactly(f"{name} was searched for", name in seen["searched for"], True, show=show)
    see.exactly(f"{name} in the checkout's files", sorted({*seen["found"]} - ({*SEARCHED} - {name})), [], show=show)
    see.exactly("the same search finds what is there", seen["words"], [KNOWN], show=f"git grep -F {KNOWN}")


def _searched(host: Host) -> dict[str, Any]:
    # Here: it brings the campaigns of probes along, for which a host that attests itself has no use.
    from verification.copies import checkout

    try:
        files = checkout(ROOT)
    except CannotRun as error:
        raise NotTestable(f"this verifier runs from no checkout: {error}") from error
    packed = base64.b64encode(zlib.compress(b"\n".join((ROOT / file).read_bytes() for file in files), 1)).decode()
    asked = {"sections": ["secrets_in_text"], "packed": packed, "names": SEARCHED, "words": [KNOWN]}
    return dict(host.look_inside(asked)["secrets_in_text"])


@control("VAULT-017")
def test_the_key_in_use_is_long_and_stands_in_no_file(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["settings"], expected["django_key"]
    see.exactly("the key in use is the credential's", seen["from its credential"][KEY], True)
    see.at_least("its characters", seen["key"]["characters"], wanted["characters"])
    see.at_least("different characters in it", seen["key"]["different"], wanted["different"])
    show = "sudo casemate diffsettings --all | grep SECRET_KEY_FALLBACKS"
    see.exactly("other keys whose signatures count", seen["key"]["others"], 0, show=show)
    on_the_host(host, see, KEY)


@control("VAULT-017", active=True)
def test_keys_come_from_the_systems_random_source_alone(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.trial("keys that are made", lambda host: dict(host.look_inside({"sections": ["keys_made"]})["keys_made"])), expected
    show = f"sudo env CASEMATE_CREDENTIAL_STORE=/run/elsewhere {PROGRAM} ensure"
    see.at_least("characters of a new key", seen["characters"], wanted["django_key"]["characters"], show=show)
    see.at_least("different characters of a new key", seen["different"], wanted["django_key"]["different"], show=show)
    see.exactly("keys of two new installations and of this host that are one", seen["twice"], 0, show=show)
    # Where the source says the same again the key is the same, and else another: it comes from nothing beside the source.
    see.exactly("keys of a source that says the same twice", seen["of the same source"], "the same", show=show)
    see.exactly("keys of a source that says something else", seen["of another source"], "others", show=show)


@control("VAULT-017", active=True)
def test_the_key_is_in_no_file_of_the_checkout(host: Host, see: Witness) -> None:
    in_the_checkout(host, see, KEY)


@control("VAULT-017", active=True)
def test_without_it_or_with_a_short_one_the_settings_do_not_load(host: Host, see: Witness, expected: Expected) -> None:
    missing = {f"without {KEY}": f"The credential {KEY} is missing"}
    refused(host, see, {**missing, **expected["refused_starts"]["of Django's key"]})


@probe("VAULT-017", touches=("settings: secret key",))
def the_short_key_of_an_older_installation_is_let_pass(host: Host) -> None:
    patch_application(host, "configuration.py", "if len(self.secret_key) < 50:", "if len(self.secret_key) < 32:")


@probe("VAULT-017", touches=("casemate-credentials",))
def a_key_is_made_of_the_time(host: Host) -> None:
    host.replace(PROGRAM, "return secrets.token_urlsafe(48).encode()", "return (str(time.time_ns()) * 4).encode()")


@control("DB-002")
def test_each_account_has_random_bytes_of_its_own_as_password(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["database_passwords"], expected["database"]["password"]
    accounts = [name.partition("@")[0] for name, entry in expected["database"]["accounts"].items() if "password" in entry]
    see.exactly(
        "accounts with a password", {f"casemate_{name}" for name in seen["bytes"]}, set(accounts), show="sudo casemate-credentials list"
    )
    for name in (account.removeprefix("casemate_") for account in accounts):
        show = f"sudo systemd-creds decrypt --name=database-{name}-password /etc/credstore.encrypted/database-{name}-password - | wc -c"
        see.exactly(f"bytes of the password of casemate_{name}", seen["bytes"].get(name, 0), wanted["bytes"], show=show)
        different = seen["different bytes"].get(name, 0)
        see.at_least(f"different bytes in the password of casemate_{name}", different, wanted["different_bytes"], show=show)
        said = seen["said"].get(name, "not asked")
        show = f"sudo casemate --as {name} dbshell"
        see.exactly(f"what the server says to casemate_{name} with it", said, f"accepted over {expected['connection']['over']}", show=show)
    see.exactly("passwords that are another account's as well", seen["alike"], 0)


@control("DB-002", active=True)
def test_passwords_come_from_the_systems_random_source_alone(host: Host, see: Witness, expected: Expected) -> None:
    ask = {"sections": ["passwords_made"], "statements": expected["read_inside"]["statements"]}
    seen = host.trial("passwords that are made", lambda host: dict(host.look_inside(ask)["passwords_made"]))
    show = f"sudo env CASEMATE_CREDENTIAL_STORE=/run/elsewhere {PROGRAM} ensure"
    see.exactly("bytes of each new password", seen["bytes"], [expected["database"]["password"]["bytes"]], show=show)
    see.exactly("passwords of two new installations and of this host that are one", seen["twice"], 0, show=show)
    see.exactly("passwords of a source that says the same twice", seen["of the same source"], "the same", show=show)
    see.exactly("passwords of a source that says something else", seen["of another source"], "others", show=show)


@probe("DB-002", touches=("account passwords",), spoils=("DB-003", "LOG-005", "X-13"))
def an_administrator_gives_an_account_a_password_to_remember(host: Host) -> None:
    host.sudo("mariadb -e \"ALTER USER casemate_migrate@127.0.0.1 IDENTIFIED BY 'Migrate-2026'\"")


@probe("DB-002", touches=("casemate-credentials",))
def passwords_are_to_fit_on_a_note(host: Host) -> None:
    host.replace(PROGRAM, "return secrets.token_urlsafe(32).encode()", "return secrets.token_urlsafe(9).encode()")


@control("VAULT-018", active=True)
def test_a_second_run_changes_no_secret_and_makes_just_the_one_that_is_missing(host: Host, see: Witness, expected: Expected) -> None:
    ask = {"sections": ["secrets_made_again"]}
    seen = host.trial("secrets made again", lambda host: dict(host.look_inside(ask)["secrets_made_again"]))
    away = sorted({*expected["credentials"]} - {*seen["secrets"]})
    see.exactly("secrets that were not there before", away, [], show="sudo casemate-credentials list")
    see.exactly("what a second run says", seen["said"], [], show=ENSURE)
    see.exactly("secrets that a second run changes", seen["changed"], [], show=ENSURE)
    see.exactly("what it says where one is missing", seen["said where one is missing"], [f"changed: credential {KEY} made"], show=ENSURE)
    see.exactly("secrets that it changes then", seen["changed where one is missing"], [KEY], show=ENSURE)
    see.exactly("what it makes is not the one that went", seen["another value"], True, show=ENSURE)


@probe("VAULT-018", touches=("casemate-credentials",))
def the_key_is_made_anew_with_each_deployment(host: Host) -> None:
    host.replace(PROGRAM, "if not path.exists():", f'if not path.exists() or credential.name == "{KEY}":')


def of_the_application(expected: Expected) -> list[str]:
    """Its secrets by name; what has a suffix is a certificate and its key."""
    return [name for name in expected["credentials_of_the_service"] if "." not in name]


@control("VAULT-014")
def test_each_secret_is_a_credential_and_a_value_of_its_own(host: Host, see: Witness, expected: Expected) -> None:
    seen, stored = host.inside["settings"]["credentials of secrets in use"], host.inside["secrets_at_rest"]
    for name in of_the_application(expected):
        see.exactly(f"credentials in which the value stands that is in use as {name}", seen.get(name, []), [name], show=CREDENTIALS)
    compared = {name for name, values in stored["values"].items() if values}
    see.exactly("secrets that were not compared", sorted({*expected["credentials"]} - compared), [], show="sudo casemate-credentials list")
    see.exactly("secrets that have a value in common", stored["alike"], [], show=f"sudo systemd-creds decrypt --name=NAME {STORE}/NAME -")


@control("VAULT-014", active=True)
def test_a_secret_that_is_missing_is_named_at_the_start(host: Host, see: Witness, expected: Expected) -> None:
    refused(host, see, {f"without {name}": f"The credential {name} is missing" for name in of_the_application(expected)})


@probe("VAULT-014", touches=("settings: secret key",), spoils=("VAULT-015", "VAULT-017", "X-11"))
def there_is_to_be_one_secret_fewer_to_look_after(host: Host) -> None:
    asked = 'self.secret_key = credentials.text("{}")'
    patch_application(host, "configuration.py", asked.format("django-secret-key"), asked.format("audit-keys"))
