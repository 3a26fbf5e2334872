"""The clock: from several sources, with a signature where one was asked for, and somebody hears when it drifts."""

import secrets
from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable

Expected = dict[str, Any]


@control("X-31")
def test_the_time_comes_from_several_sources_that_agree(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if host.attests_itself:
        raise NotTestable("chronyd answers who may write beside its socket, and the host's own reading may write nowhere")
    seen, wanted = host.inside["clock"], expected["time"]
    servers = {server["host"]: bool(server.get("nts")) for server in declared.get("time_servers") or wanted["servers"]}
    sources = seen["sources"]
    see.exactly("time servers that are asked", set(sources), set(servers), show="sudo chronyc -N sources")
    see.at_least(
        "of them, those that answer and agree", sum(source["agrees"] for source in sources.values()), 2, show="sudo chronyc sources"
    )
    for name, authenticated in servers.items():
        vouched = sources.get(name, {}).get("authenticated", "not asked")
        see.exactly(f"whether {name} authenticates what it tells", vouched, authenticated, show="sudo chronyc -N authdata")
    see.exactly("whether the time is known", seen["synchronised"], True, show="sudo chronyc tracking")
    see.at_most("seconds that the clock is off", seen["seconds off"], wanted["seconds"], show="sudo chronyc tracking")
    see.exactly("what else keeps the time, and how chronyd runs", seen["daemons"], wanted["daemons"], show="ps -C chronyd -o args")


@control("X-31")
def test_a_drift_is_looked_for_and_told(host: Host, see: Witness, expected: Expected) -> None:
    timer = host.inside["timers"].get("casemate-time.timer")
    wanted = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": expected["time"]["told"]}
    see.exactly("casemate-time.timer", timer, wanted, show="systemctl list-timers casemate-time.timer; systemctl cat casemate-time.service")
    command = host.inside["time_command"]
    see.exactly("what it runs", command, expected["time"]["looks"], show="systemctl show casemate-time.service --property=ExecStart")


@control("X-31", active=True)
def test_a_clock_that_is_farther_off_than_allowed_raises_an_alert(host: Host, see: Witness) -> None:
    unit = f"casemate-verifier-{secrets.token_hex(4)}"
    # Nobody may set the clock of a host that works. No clock is less than nothing off, so this limit is passed as a drift would pass it.
    command = ["/usr/local/sbin/casemate-time", "--limit", "-1"]
    parameters = {"sections": ["alarm"], "unit": unit, "command": command, "properties": ["User=_chrony"]}
    seen = host.trial("a drift", lambda host: dict(host.look_inside(parameters)["alarm"]))
    see.exactly("lines of priority alert about it", seen["told"], 1, show="sudo journalctl -p alert -t casemate-alert")
    see.exactly("whether the drift is named", "s off, -1 s are allowed" in seen["words"], True, show="sudo journalctl -u casemate-time")


@control("X-31", active=True)
def test_a_code_counts_within_its_window_alone(host: Host, see: Witness, declared: Expected) -> None:
    if "app" not in host.tiers or declared.get("application", "casemate") != "casemate":
        raise NotApplicable("no application of Casemate's own takes codes here")
    window = host.household("window").seen["the window"]
    see.exactly("the start page after a code of a minute ago", window["a minute late"], "/sign-in/verify/")
    see.exactly("the start page after a code of in a minute", window["a minute early"], "/sign-in/verify/")
    see.exactly("the start page after the code of half a minute ago", window["half a minute late"], "200")


@probe("X-31", touches=("chrony",))
def one_server_is_thought_to_be_enough_and_anybody_may_be_it(host: Host) -> None:
    host.sudo(
        "first=$(grep -m1 '^server ' /etc/chrony/chrony.conf | cut -d' ' -f2); "
        'sed -i -e "/^server /d" -e "/^minsources/d" -e "/^authselectmode/d" /etc/chrony/chrony.conf; '
        'echo "server $first iburst" >>/etc/chrony/chrony.conf; systemctl restart chrony'
    )


@probe("X-31", touches=("totp",))
def codes_last_five_minutes_for_people_whose_telephone_is_slow(host: Host) -> None:
    patch_application(host, "accounts/totp.py", "TOLERANCE_STEPS = 1 ", "TOLERANCE_STEPS = 10 ")
