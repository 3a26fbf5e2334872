"""The private authority: its root's key is elsewhere, those below it are limited, and what they issue lives shortly and renews itself."""

import ipaddress
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
HOME, PROGRAM, TIMER = "/etc/casemate/pki", "/usr/local/sbin/casemate-certificates", "casemate-certificates.timer"


@control("X-23")
def test_no_key_of_an_authority_that_is_elsewhere_lies_here(host: Host, see: Witness) -> None:
    seen, show = host.inside["authority"], "sudo grep -rlE 'BEGIN .*PRIVATE KEY' /etc /root /home /srv /opt /var/lib/casemate*"
    see.at_least("private keys that were looked at", seen["keys"], 1, show=show)
    see.exactly("of them, the root's, or sealed so that nobody can say whose", seen["of the root, or sealed"], [], show=show)


@control("X-23")
def test_each_authority_may_sign_for_this_host_alone(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen, wanted = host.inside["authority"]["certificates"], expected["authority"]
    root, show = seen["root.crt"], f"openssl x509 -noout -text -in {HOME}/root.crt"
    see.exactly("who signed the root, and in which name", [root["issuer"], root["subject"]], [wanted["root"]["subject"]] * 2, show=show)
    for path, one in wanted["between"].items():
        below, show = seen.get(path, {}), f"sudo openssl x509 -noout -text -in {HOME}/{path}"
        see.exactly(
            f"{path}: in which name, by whom", [below.get("subject"), below.get("issuer")], [one["subject"], root["subject"]], show=show
        )
        see.exactly(f"{path}: what it may sign", below.get("authority"), "CA:TRUE, pathlen:0", show=show)
        see.exactly(f"{path}: what its key is for", below.get("use"), one["use"], show=show)
        see.exactly(f"{path}: whom it may sign for", below.get("limits"), _names(one["limits"], declared, limit=True), show=show)
        see.at_most(f"{path}: days of its life", below.get("days", 0), wanted["between_days"]["life"], show=show)
        see.at_least(f"{path}: days that it still signs", below.get("days left", 0), wanted["between_days"]["left"], show=show)


@control("X-23")
def test_what_they_issue_is_short_of_life(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen, wanted = host.inside["authority"]["certificates"], expected["authority"]
    others = {"root.crt", *wanted["between"], *(() if expected["certificate"]["private"] else ("edge/server.crt",))}
    see.exactly("certificates that are issued here", set(seen) - others, set(wanted["leaves"]), show=f"sudo ls {HOME}/*")
    for path, one in wanted["leaves"].items():
        leaf, show = seen.get(path, {}), f"sudo openssl x509 -noout -text -in {HOME}/{path}"
        see.exactly(f"{path}: by whom", leaf.get("issuer"), one["issuer"], show=show)
        see.exactly(f"{path}: for what", leaf.get("use"), ["Digital Signature", one["use"]], show=show)
        see.exactly(f"{path}: for whom", leaf.get("names"), _names(one["names"], declared), show=show)
        see.at_most(f"{path}: days of its life", leaf.get("days", 0), wanted["leaf_days"]["life"], show=show)
        see.at_least(f"{path}: days that are left", leaf.get("days left", 0), wanted["leaf_days"]["left"], show=show)


@control("X-23")
def test_somebody_looks_each_day_and_tells(host: Host, see: Witness, expected: Expected) -> None:
    timer = host.inside["timers"].get(TIMER)
    wanted = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": expected["timers"][TIMER]}
    see.exactly(TIMER, timer, wanted, show=f"systemctl list-timers {TIMER}; systemctl cat casemate-certificates.service")


@control("X-23", active=True)
def test_the_daily_look_renews_what_nears_its_end(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.trial(
        "a certificate near its end", lambda host: dict(host.look_inside({"sections": ["near_its_end"], "days": 5})["near_its_end"])
    )
    show = "sudo systemctl start casemate-certificates.service; sudo journalctl -u casemate-certificates -n 5"
    see.at_most("days that one has left before it", seen["before"], 5, show=show)
    see.at_least("days that it has afterwards", seen["after"], expected["authority"]["leaf_days"]["life"] - 1, show=show)


@control("X-23", active=True)
def test_an_authority_that_only_the_root_can_renew_is_told_of(host: Host, see: Witness) -> None:
    look = {"sections": ["ageing_authority"], "days": 50}
    seen = host.trial("an authority near its end", lambda host: dict(host.look_inside(look)["ageing_authority"]))
    show = "sudo journalctl -u casemate-certificates"
    see.exactly("whether the look fails, and so alerts", seen["failed"], True, show=show)
    told = "the certificate of Casemate Edge CA has less than 60 days left: run ansible/site.yml" in seen["said"]
    see.exactly("whether it is named, and what mends it", told, True, show=show)


def _names(wanted: Any, declared: Expected, *, limit: bool = False) -> list[str]:
    """As a certificate says them: those of the site, or these."""
    if wanted != "site":
        return list(wanted)
    addresses = [ipaddress.ip_address(str(address)) for address in declared["site_addresses"]]
    if not limit:
        return sorted([f"DNS:{declared['site_name']}", *(f"IP:{address}" for address in addresses)])
    ours = [f"IP:{address}/{address.max_prefixlen}" for address in addresses]
    # A family without an address of ours is shut out whole.
    others = [f"not IP:{world}" for version, world in ((4, "0.0.0.0/0"), (6, "::/0")) if version not in {one.version for one in addresses}]
    return sorted([f"DNS:{declared['site_name']}", *ours, *others])


@probe("X-23", touches=("private keys",))
def the_sealed_root_is_kept_on_the_host_as_well(host: Host) -> None:
    host.sudo(f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -aes256 -pass pass:correct-horse -out {HOME}/root.key")


@probe("X-23", touches=("edge authority",))
def an_administrator_signs_an_authority_without_limits(host: Host) -> None:
    host.sudo(
        f"cd {HOME}/edge && openssl req -x509 -key ca.key -subj '/CN=Casemate Edge CA' -days 3650 -addext keyUsage=critical,keyCertSign "
        "-out ca.crt"
    )


@probe("X-23", touches=("certificates: renewal",))
def certificates_are_renewed_at_the_last_moment(host: Host) -> None:
    host.replace(PROGRAM, "LEAF_RENEW_DAYS = 10", "LEAF_RENEW_DAYS = 1")


@probe("X-23", touches=("certificates: alert",))
def an_ageing_authority_is_told_nobody(host: Host) -> None:
    host.replace(PROGRAM, "AUTHORITY_RENEW_DAYS = 60", "AUTHORITY_RENEW_DAYS = 3")
