"""Security updates: they arrive by themselves, from Debian's own archive, and none waits for long."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
LISTED = "apt list --upgradable; sudo cat /var/lib/casemate-updates/seen.json"


@control("HOST-009")
def test_debians_timers_fetch_and_install_what_closes_a_hole(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen, wanted = host.inside["updates"], expected["updates"]
    for unit, state in wanted["units"].items():
        there = {key: seen["units"].get(unit, {}).get(key, "no such unit") for key in state}
        see.exactly(unit, there, state, show=f"systemctl list-timers {unit}; systemctl status {unit}")
    reboot_at = declared.get("reboot_at", "03:30")
    settings = wanted["settings"] | {"Casemate::Update-Window-Days": [str(declared.get("update_window_days", 3))]}
    never = {"Unattended-Upgrade::Automatic-Reboot": ["false"]}
    at_night = {"Unattended-Upgrade::Automatic-Reboot": ["true"], "Unattended-Upgrade::Automatic-Reboot-Time": [reboot_at]}
    settings |= never if reboot_at == "never" else at_night
    see.exactly("what apt is told of them", seen["settings"], settings, show="apt-config dump | grep -E '^(APT::Periodic|Unattended)'")
    see.exactly("archives of security updates", seen["archives"], wanted["archives"], show="apt-cache policy | grep Debian-Security")


@control("HOST-009")
def test_no_security_update_waits_longer_than_the_window(host: Host, see: Witness, declared: Expected) -> None:
    seen, window = host.inside["updates"], declared.get("update_window_days", 3)
    see.at_most("days since the lists were fetched", seen["lists are days old"], window, show="ls -l --time=full /var/lib/apt/periodic")
    late = {name: update for name, update in seen["pending"].items() if update["days"] > window}
    see.exactly(f"security updates that wait for more than {window} days", late, {}, show=LISTED)
    see.at_most("days that a reboot waits", seen["a reboot waits for days"], window, show="ls -l --time=full /run/reboot-required")
    see.exactly("packages that are held as they are", seen["held"], [], show="apt-mark showhold")


@control("HOST-009", active=True)
def test_the_program_that_installs_them_takes_debians_security_archive_alone(host: Host, see: Witness, expected: Expected) -> None:
    parameters = {"sections": ["upgrade_rehearsed"]}
    seen = host.trial("an upgrade", lambda host: dict(host.look_inside(parameters)["upgrade_rehearsed"]))
    show = "sudo unattended-upgrade --dry-run --verbose"
    see.exactly("how it ends", seen["status"], 0, show=show)
    see.exactly("origins that it takes", seen["origins"], expected["updates"]["taken"], show=show)


@probe("HOST-009", touches=("apt-daily-upgrade.timer",))
def the_nightly_upgrade_is_stopped_after_a_restart_at_a_bad_hour(host: Host) -> None:
    host.sudo("systemctl disable --now apt-daily-upgrade.timer 2>/dev/null")


@probe("HOST-009", touches=("apt.conf",))
def a_package_is_left_out_because_its_update_once_failed(host: Host) -> None:
    host.replace(
        "/etc/apt/apt.conf.d/60-casemate.conf",
        "#clear Unattended-Upgrade::Package-Blacklist;",
        'Unattended-Upgrade::Package-Blacklist { "nginx"; };',
    )
