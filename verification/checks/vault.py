"""The vault: what is sealed in it stays sealed, for strangers, in the database, and for members until the log has it."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host, NotObserved
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
DUMP = "sudo mariadb-dump --all-databases | grep -c -- CANARY"
TRAIL = "sudo mariadb casemate_audit -e 'SELECT action, detail FROM event ORDER BY id DESC LIMIT 20'"


def walk(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = host.household("vault").seen["vault"]
    if "error" in found:
        raise NotObserved(f"the walk through the vault: {found['error']}")
    return found


@control("VAULT-005", active=True)
def test_nothing_that_is_sealed_can_be_read_anywhere(host: Host, see: Witness) -> None:
    seen = walk(host)
    see.exactly("passwords that were stored", seen["stored"], [True, True])
    see.exactly("marked parts in a dump of all databases", seen["readable"]["dump"], [], show=DUMP)
    see.exactly("marked parts in the journal", seen["readable"]["journal"], [], show="sudo journalctl -u casemate | grep CANARY")
    found = "the name, which is in clear, is in the dump"
    see.exactly(f"the search itself finds what is there: {found}", seen["readable"][found], True, show=DUMP)
    for page, (status, *marked) in seen["pages"].items():
        see.exactly(f"status of {page or 'the list'}", status, 200)
        see.exactly(f"marked parts on {page or 'the list'}", marked, [])


@probe("VAULT-005", touches=("vault: services",))
def the_name_is_to_tell_more(host: Host) -> None:
    """A search by user name was asked for, so the name that is in clear gets it too."""
    patch_application(
        host,
        "vault/services.py",
        "        name=rules.name(name, longest=rules.LONGEST_NAME),\n        contents=contents.text(),",
        "        name=rules.name(f'{name} {contents.user_name}', longest=rules.LONGEST_NAME),\n        contents=contents.text(),",
    )


@control("VAULT-001", active=True)
def test_a_value_that_was_changed_or_moved_does_not_open(host: Host, see: Witness) -> None:
    ways = walk(host)["moved about"]
    for way in ("of another row", "of another organisation", "of another purpose", "changed in one bit"):
        see.exactly(f"a value {way}: status of its reveal, and whether it says why", ways[way], [500, True], show=TRAIL)
    see.exactly("the value itself, put back", ways["put back"], [200, False])
    told = [event for event in host.household("vault").events if event["action"] == "vault.tampered"]
    see.exactly("events of it", len(told), 4, show=TRAIL)
    see.exactly("that say so", {event["success"] for event in told}, {0})


@probe("VAULT-001", touches=("keyring: cipher",))
def a_value_is_bound_to_nothing(host: Host) -> None:
    """Rows were merged by hand once, and then did not open: somebody leaves the place out of what is authenticated."""
    old = 'return f"v1|{self.scope}|{self.purpose}|{self.row}|{serial}".encode()'
    patch_application(host, "keyring/cipher.py", old, 'return b"v1"')


@control("X-19", active=True)
def test_each_organisation_has_keys_of_its_own(host: Host, see: Witness) -> None:
    seen = walk(host)
    show = "sudo mariadb casemate -e 'SELECT scope, serial, kek_id FROM keyring_scopekey'"
    see.exactly("organisations of two with a key of their own", seen["keys"], 2, show=show)
    for way in ("of another organisation", "of another purpose"):
        see.exactly(f"a value {way}: status of its reveal, and whether it says why", seen["moved about"][way], [500, True], show=TRAIL)


@probe("X-19", touches=("vault: scope",))
def one_key_does_for_all(host: Host) -> None:
    """Keys by organisation were in the way of a report over all of them."""
    own = 'return Scope(f"organization:{self.organization_id}")'
    patch_application(host, "vault/models.py", own, 'return Scope("organization:all")')


@control("TEN-006", active=True)
def test_a_stranger_finds_no_password(host: Host, see: Witness) -> None:
    seen = walk(host)["strangers"]
    see.exactly("pages that show a name or a part of another organisation's password", seen["shows"], [])
    see.exactly("pages that tell a foreign id from one that is nobody's", seen["told apart"], [])
    # 405: what a page never takes, it takes with no id.
    see.exactly("statuses of all of them", seen["statuses"], [404, 405])
    see.exactly("the owner's own reveal", walk(host)["reveal"]["status"], 200)


@control("TEN-006")
def test_the_database_keeps_references_in_one_organisation(host: Host, see: Witness, expected: Expected) -> None:
    show = "sudo mariadb casemate -e 'SHOW CREATE TABLE vault_password'"
    found, wanted = host.inside["tenant_tables"], expected["tenancy"]
    see.exactly("tables whose rows cannot be without an organisation", set(found["tenants"]), set(wanted["tenants"]), show=show)
    see.exactly("references that stay in one organisation", set(found["references"]), set(wanted["references"]), show=show)
    see.exactly("references that could lead out of it", found["loose"], [], show=show)


@control("TEN-006", active=True)
def test_a_reference_into_another_organisation_is_refused_to_root_himself(host: Host, see: Witness) -> None:
    show = "sudo mariadb casemate -e 'UPDATE vault_password SET folder_id = …'"
    see.exactly("a password, put into the other's folder", walk(host)["referring to the other's folder"], "refused 1452", show=show)


@probe("TEN-006", touches=("vault: views",), spoils=("TEN-005",))
def a_page_asks_the_table_itself(host: Host) -> None:
    """The manager was in the way of a support case, and the query beside it worked."""
    patch_application(
        host,
        "vault/views/answers.py",
        "    found = rows.filter(pk=password_id).first()",
        "    from django.db.models import QuerySet\n\n    found = QuerySet(Password).filter(pk=password_id).first()",
    )


@control("X-18", active=True)
def test_nobody_sees_a_secret_unrecorded(host: Host, see: Witness, expected: Expected) -> None:
    wanted, seen = expected["vault"], walk(host)
    see.exactly("parts shown without the reason that the folder asks for", seen["without a reason"]["shows"], [])
    see.exactly("statuses for a viewer", seen["a viewer"], {"reveal/": 403, "copy/": 403})
    for way in ("reveal", "former version"):
        see.exactly(f"parts shown by a {way}", seen[way]["shows"], wanted["parts"])
        see.exactly(f"Cache-Control of a {way}", seen[way]["kept"], wanted["kept"])
        see.exactly(f"seconds that a browser shows a {way}", seen[way]["shown for"], wanted["shown_for"])
    see.exactly("parts that could be copied", seen["copies"], dict.fromkeys(wanted["parts"], True))
    held = seen["waited for the log"]
    see.exactly(
        "a reveal while somebody holds the log", held, {"status": 200, "long enough": True}, show="SELECT … FOR UPDATE on chain_head"
    )
    events = [event for event in host.household("vault").events if event["action"].startswith("vault.")]
    for action, beside in wanted["events"].items():
        details = [sorted(event["detail"]) for event in events if event["action"] == action]
        see.at_least(f"events {action}", len(details), 1, show=TRAIL)
        see.exactly(f"what stands beside {action}", {tuple(keys) for keys in details}, {tuple(sorted(beside))}, show=TRAIL)
    copied = [event["detail"].get("part") for event in events if event["action"] == "vault.password.copy"]
    see.exactly("parts whose copy is an event", copied, wanted["parts"], show=TRAIL)


@probe("X-18", touches=("vault: reveals",))
def the_log_may_be_late(host: Host) -> None:
    """Reveals waited for the log on a busy day: somebody lets the answer go first, and the event follow from a thread."""
    told = """(
        action,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(password),
        success=True,
        detail=about,
        stream=stream,
    )
    return password, revision
"""
    late = """
    import threading

    from casemate.audit.services import committed as alone

    who = {"actor": assurance.actor, "origin": assurance.origin, "target": target(password)}
    threading.Timer(0.1, alone(record), (action,), {**who, "success": True, "detail": about, "stream": stream}).start()
    return password, revision
"""
    patch_application(host, "vault/reveals.py", f"    record{told}", late)


@control("VAULT-002")
def test_what_is_sealed_opens_by_the_key_of_its_use_and_by_no_other(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["keys_of_use"], expected["keys"]
    # The derivation that the values are compared with is the verifier's own; the published vectors say whether it is right.
    see.exactly("what it makes of the vectors of RFC 5869", seen["vectors"], wanted["vectors"])
    whose = ("its own", "another")
    ways = {
        f"{one}, by {who} organisation's key of {other}": one == other and who == "its own"
        for one in wanted["purposes"]
        for other in wanted["purposes"]
        for who in whose
    }
    show = "sudo casemate shell --command 'from casemate.keyring import purposes; print(purposes.PURPOSES)'"
    see.exactly("what opens a value of the use", seen["opened"], ways, show=show)
    see.at_least("keys of use, of all organisations", seen["made"], 2 * len(wanted["purposes"]))
    see.exactly("of which are the same", seen["made twice"], 0)


@probe("VAULT-002", touches=("keyring: cipher",))
def one_key_serves_all_uses(host: Host) -> None:
    """A field was renamed once, and its values did not open any more."""
    patch_application(host, "keyring/cipher.py", "info=purpose.encode()", 'info=b"casemate"')
