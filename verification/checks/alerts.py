"""Work that runs by itself, and who hears of it when it does not."""

import secrets
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]


@control("HOST-005")
def test_recurring_work_will_run_and_its_failure_is_heard(host: Host, see: Witness, expected: Expected) -> None:
    timers = host.inside["timers"]
    for timer, alerted in expected["timers"].items():
        wanted = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": alerted}
        see.exactly(
            timer, timers.get(timer), wanted, show=f"systemctl list-timers {timer}; systemctl show {timer.replace('.timer', '.service')}"
        )


@probe("HOST-005", touches=("timers",))
def a_timer_is_stopped_during_a_migration(host: Host) -> None:
    host.sudo("systemctl disable --now casemate-audit-verify.timer 2>/dev/null")


@control("X-41")
def test_somebody_is_told_and_no_mail_waits(host: Host, see: Witness, declared: Expected) -> None:
    mail, relay = host.inside["mail"], declared.get("mail_relay") or {}
    show = "sudo casemate-mail status"
    # Without a relay nobody is told: whoever wants it so says it in `deviations`.
    see.exactly("somebody is told, over a relay", bool(mail["to"] and mail["relay"]), True, show=f"{show}; mail_relay in declared.yml")
    see.exactly("who is told", mail["to"], declared.get("mail_alert_address", ""), show=show)
    see.exactly("over which relay", mail["relay"], f"{relay.get('host')}:{relay.get('port', 587)}", show=show)
    see.at_most("minutes that the oldest mail waits", mail["oldest_waits"], 60, show=show)
    see.exactly("mails that no relay took", mail["undelivered"], 0, show=show)


@control("X-41", active=True)
def test_a_failed_unit_is_told_of_in_the_journal_and_by_mail(host: Host, see: Witness, declared: Expected) -> None:
    parameters = {"sections": ["alarm"], "unit": f"casemate-verifier-{secrets.token_hex(4)}"}
    seen = host.trial("an alarm", lambda host: dict(host.look_inside(parameters)["alarm"]))
    see.exactly("lines of priority alert about a unit that failed", seen["told"], 1, show="sudo journalctl -p alert")
    if declared.get("mail_relay"):
        see.exactly("mails about it that the relay took", seen["mailed"], 1, show="sudo journalctl -t casemate-mail")


@probe("X-41", touches=("casemate-mail",))
def the_program_that_alerts_loses_its_interpreter_in_an_upgrade(host: Host) -> None:
    host.replace("/usr/local/sbin/casemate-mail", "#!/usr/bin/python3", "#!/usr/bin/python2")
