"""What rests on the disk of the database: nothing of it can be read there, nor in the copy that goes to the backup host."""

from typing import Any

from verification.breaking import edit_mariadb
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable

Expected = dict[str, Any]
SEARCH = "sudo grep -rlaF VALUE /var/lib/mysql"


@control("DB-011")
def test_every_tablespace_and_log_is_encrypted(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.inside["database_encryption"]
    for name, wanted in expected["encryption"]["variables"].items():
        see.exactly(name, seen["variables"].get(name), wanted, show=f"sudo mariadb -e \"SHOW GLOBAL VARIABLES LIKE '{name}'\"")
    show = "sudo mariadb -e 'SELECT * FROM information_schema.innodb_tablespaces_encryption'"
    see.at_least("tablespaces that the server knows", seen["tablespaces"], expected["encryption"]["tablespaces"], show=show)
    see.exactly("tablespaces in clear", seen["in clear"], [], show=show)
    see.at_least(
        "stored values that were looked for", seen["values"], 5, show="sudo mariadb -e 'SELECT name FROM casemate.django_migrations'"
    )
    see.exactly("files in which one of them can be read", seen["files with one"], [], show=SEARCH)


@control("DB-011", active=True)
def test_a_marker_that_was_stored_is_in_no_file_and_no_table_can_be_made_otherwise(host: Host, see: Witness) -> None:
    seen = _marker(host)
    show = "sudo mariadb -e 'CREATE TABLE casemate.t (i INT) ENCRYPTED=NO'"
    see.exactly("what comes of a table that asks to be in clear", seen["a table in clear"], "ERROR 1005", show=show)
    see.exactly("files in which the name of its column is found", seen["column"], ["frm"], show=SEARCH)
    see.exactly("files in which the marker is found", seen["marker"], [], show=SEARCH)


@probe("DB-011", touches=("mariadb: encryption",))
def somebody_hopes_for_speed_without_the_encryption(host: Host) -> None:
    edit_mariadb(host, "innodb_encrypt_tables = FORCE", "innodb_encrypt_tables = OFF")


@control("BKP-008", active=True)
def test_the_copy_for_the_backup_shows_nothing_either(host: Host, see: Witness) -> None:
    if "backup" not in host.tiers:
        raise NotApplicable("this host is not in the group backup: it makes no copy, and BKP-001 says so")
    seen, show = _marker(host), "sudo systemctl start casemate-backup-data; sudo grep -rlaF VALUE /var/lib/casemate-backup-data"
    see.exactly("files of the copy in which the name of its column is found", seen["column in the copy"], ["frm"], show=show)
    see.exactly("files of the copy in which the marker is found", seen["marker in the copy"], [], show=show)


@control("BKP-008")
def test_and_it_goes_when_the_backup_is_sent(host: Host, see: Witness) -> None:
    see.exactly("what is left of a copy", host.inside["copies"]["copies"], [], show="sudo find /var/lib/casemate-backup-data")


@probe("BKP-008", touches=("casemate-backup",))
def a_report_of_the_rows_is_written_beside_the_copy(host: Host) -> None:
    counted = "            counts[table] = int(query("
    report = (
        "            try:\n"
        '                (DATA / f"{table}.csv").write_text("\\n".join(query(f"SELECT * FROM {quoted}")))\n'
        "            except UnicodeError:\n"
        "                pass\n"
    )
    host.replace("/usr/local/sbin/casemate-backup", counted, report + counted)


def _marker(host: Host) -> dict[str, Any]:
    return host.trial("a stored marker", lambda host: dict(host.look_inside({"sections": ["marker_on_disk"]})["marker_on_disk"]))
