"""The backups: from the sending account's place, on this host's disk, and on the backup host's."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable

Expected = dict[str, Any]
STATE = "sudo casemate-backup state"


@control("BKP-001")
def test_there_is_a_backup_of_today_and_none_is_missing(host: Host, see: Witness, expected: Expected) -> None:
    show = f"{STATE}; systemctl list-timers casemate-backup.timer"
    unit = host.inside["units"].get("casemate-backup.timer", {})
    for key, wanted in expected["backups"]["timer"].items():
        see.exactly(f"{key} of casemate-backup.timer", unit.get(key, "no such unit"), wanted, show=show)
    seen = host.inside["backups"]
    see.at_most(
        "hours since the newest snapshot, as the repository says", seen["hours since the newest"], expected["backups"]["hours"], show=STATE
    )
    see.at_least("snapshots in the repository", seen["snapshots"], 1, show=STATE)
    see.at_least("snapshots that this host knows it sent", seen["sent"], 1, show="cat /var/lib/casemate-backup/sent")
    see.exactly("snapshots that were sent and are gone", seen["missing"], [], show="cat /var/lib/casemate-backup/sent")


@probe("BKP-001", touches=("casemate-backup.timer",), spoils=("HOST-005",))
def the_nightly_backup_is_stopped_because_it_was_slow(host: Host) -> None:
    host.sudo("systemctl disable --now casemate-backup.timer 2>/dev/null")


@control("BKP-003")
def test_no_copy_of_the_database_lies_around(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.inside["copies"]
    see.exactly("copies of the database on this host", seen["copies"], [], show="sudo find /var /home /root -name '*.sql*'")
    marks = dict.fromkeys(expected["read_inside"]["marks"], True)
    see.exactly("marks by which one would be known", seen["marks in the database"], marks, show="sudo grep -rlaF MARK /var/lib/mysql")


@probe("BKP-003", touches=("backup: staging folder",))
def a_plain_dump_is_made_beside_the_backup(host: Host) -> None:
    host.sudo("mariadb-dump casemate > /var/lib/casemate-backup-data/before-the-upgrade.sql")


@control("BKP-003")
def test_the_repository_opens_with_its_password_alone(host: Host, see: Witness) -> None:
    _kept(host)
    seen = host.inside["backups"]
    see.exactly("another password is refused", seen["another password"], True, show="restic cat config")
    see.exactly("what the sending account's key gets of a shell", seen["a shell"], "", show="ssh backup-CLIENT@BACKUP-HOST id")


@control("BKP-003")
def test_the_backup_hosts_disk_shows_nothing_of_the_database(host: Host, see: Witness) -> None:
    _kept(host)
    seen = host.outside["backup_disk"]
    if seen is None:
        raise NotTestable(f"{host.witness} is not the backup host, or lets nobody look at its disk")
    show = "sudo grep -rlaF MARK /var/backups"
    see.at_least("files of backups on its disk", seen["files"], 4, show="sudo find /var/backups/casemate -type f")
    see.exactly("marks of the database that can be read there", seen["read"], {}, show=show)


@control("BKP-007")
def test_the_backup_host_thins_out_by_itself(host: Host, see: Witness, expected: Expected) -> None:
    _kept(host)
    seen = host.outside["retention"]
    if seen is None:
        raise NotTestable(f"{host.witness} is not the backup host, or lets nobody look at it")
    see.at_least("clients that it keeps backups of", len(seen), 1, show="sudo ls /var/backups/casemate")
    for client, kept in seen.items():
        show = f"systemctl status casemate-backup-thin@{client}.timer; sudo casemate-backup-server plan {client}"
        for key, wanted in expected["retention"]["units"].items():
            see.exactly(f"{key} of what thins out {client}", kept.get(key, "no such unit"), wanted, show=show)
        most = sum(expected["retention"]["nights"][kind] for kind in ("day", "week", "month"))
        see.at_most(f"snapshots of {client} older than two days", kept["older than two days"], most, show=show)


@control("BKP-007", active=True)
def test_of_the_snapshots_the_first_of_a_day_a_week_and_a_month_stay_by_their_arrival(host: Host, see: Witness, expected: Expected) -> None:
    _kept(host)
    if host.outside["retention"] is None:
        raise NotTestable(f"{host.witness} is not the backup host, or lets nobody look at it")
    seen = host.trial("a client's nights", lambda host: dict(host.look_outside({"sections": ["retention_tried"]})["retention_tried"]))
    show = "sudo casemate-backup-server plan CLIENT"
    for kind, wanted in expected["retention"]["nights"].items():
        see.exactly(f"of 800 nights and noons stay: {kind}", seen["nights"][kind], wanted, show=show)
    see.exactly("snapshots that were made", seen["made"], ["dated back", "of noon", "of the night"], show=show)
    see.exactly("and those that stayed", seen["stayed"], ["dated back", "of the night"], show=show)


@probe("BKP-007", touches=("backup host: timer",))
def the_backup_hosts_administrator_has_disk_enough(host: Host) -> None:
    host.look_outside({"sections": ["stop_thinning_out"]})["stop_thinning_out"]


def _kept(host: Host) -> None:
    if "backup" not in host.tiers:
        raise NotApplicable("this host is not in the group backup: it sends none, and BKP-001 says so")
