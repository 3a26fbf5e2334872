"""Work that runs by itself, and who hears of it when it does not."""

import secrets
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotTestable

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


@control("X-06")
def test_the_host_looks_at_itself_each_day_and_says_so(host: Host, see: Witness, expected: Expected) -> None:
    if host.attests_itself:
        raise NotTestable("this is the host's own word: it cannot vouch for itself")
    unit, wanted = host.inside["units"].get("casemate-attest.timer", {}), expected["attested"]
    for key, value in wanted["timer"].items():
        show = "systemctl list-timers casemate-attest.timer"
        see.exactly(f"{key} of casemate-attest.timer", unit.get(key, "no such unit"), value, show=show)
    said, show = host.inside["own_word"], "sudo casemate-attest status"
    see.at_most("hours since its last word", said["hours"], wanted["hours"], show=show)
    see.exactly("whose word its results say they are", said["attested by"], "the host itself", show=show)
    see.at_least("controls that it judged", said["judged"], wanted["judged"], show=show)
    see.exactly("controls that it found red", said["red"], [], show=show)
    see.exactly("faults of its verification", said["problems"], [], show=show)


@probe("X-06", touches=("casemate-attest.timer",))
def the_daily_look_is_stopped_because_its_mails_annoy(host: Host) -> None:
    host.sudo("systemctl disable --now casemate-attest.timer 2>/dev/null")
