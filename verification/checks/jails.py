"""The jails: what their filters take for an attack, and that a ban shuts out whom it names, on both families, and never an operator."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from verification.checks.bans import others_are_served
from verification.host import Host, Observer
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotTestable

Expected = dict[str, Any]
COLLECTIONS = Path(__file__).parents[1] / "jails"
GUESSES = 6  # one more than shuts anybody else out


def collection(jail: str) -> dict[str, list[dict[str, str]]]:
    """The lines of a jail by kind; each with the program that writes it, and the address that is to be found in it."""
    text = (COLLECTIONS / f"{jail}.txt").read_text()
    rows = [line.split("\t", 2) for line in text.splitlines() if line and not line.startswith("#")]
    entries = [{"address": address.strip("-"), "program": program, "line": line} for address, program, line in rows]
    return {"attacks": [e for e in entries if e["address"]], "harmless": [e for e in entries if not e["address"]]}


@control("X-28", active=True)
def test_the_filters_find_every_attack_and_nothing_else(host: Host, see: Witness, expected: Expected) -> None:
    lines = {jail: collection(jail) for jail in expected["jails"]}
    asked = {jail: [[e["program"], e["line"]] for kind in kinds.values() for e in kind] for jail, kinds in lines.items()}
    parameters = {"sections": ["filtered"], "collections": asked}
    found = host.trial("lines for the jails", lambda host: dict(host.look_inside(parameters)["filtered"]))
    for jail, kinds in lines.items():
        addresses = iter(found[jail])
        show = f"sudo fail2ban-regex -m _SYSTEMD_UNIT=UNIT systemd-journal {jail}"
        for kind, entries in kinds.items():
            answers = list(islice(addresses, len(entries)))
            wrong = list(mistaken(entries, answers))
            see.exactly(f"{jail}: lines of the collection ({kind}) that it takes for something else", wrong, [], show=show)
            see.at_least(f"{jail}: lines of the collection ({kind})", len(answers), 5)


def mistaken(entries: list[dict[str, str]], answers: list[str]) -> Iterator[str]:
    for entry, found in zip(entries, [*answers, *["not read"] * (len(entries) - len(answers))], strict=True):
        if found != entry["address"]:
            yield f"{found or 'nobody'} instead of {entry['address'] or 'nobody'} in: {entry['line'][:200]}"


@control("X-28", active=True)
def test_each_jail_bans_and_releases_on_both_families(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    jails = expected["jails"]

    def attempt(host: Host) -> dict[str, Any]:
        observer, seen = host.seen_from(), {}
        host.lift_bans()
        try:
            for jail in jails:
                host.ban(jail)
                seen[jail] = dict[str, Any]({"open while banned": doors(host, opened=True)})
                seen[jail]["others"] = others_are_served(declared["site_addresses"][0])
                host.ban(jail, lift=True)
                seen[jail]["shut after the release"] = doors(host, opened=False)
        finally:
            host.lift_bans()
        return {"jails": seen, "families": sorted({6 if ":" in address else 4 for address in observer})}

    seen = host.trial("a ban by each jail", attempt)
    for jail in jails:
        show = f"sudo fail2ban-client set {jail} banip ADDRESS"
        see.exactly(f"{jail}: doors that are open to the banned", seen["jails"][jail]["open while banned"], [], show=show)
        see.exactly(f"{jail}: others are served", seen["jails"][jail]["others"], True)
        shut = seen["jails"][jail]["shut after the release"]
        see.exactly(f"{jail}: doors that are shut after the release", shut, [], show=show.replace("banip", "unbanip"))
    if seen["families"] != [4, 6]:
        raise NotTestable(f"a ban on both families: {host.witness} reaches the site over IPv{seen['families']} alone")


def doors(host: Host, *, opened: bool) -> list[str]:
    found: dict[str, bool] = host.look_outside({"sections": ["doors"], "ports": [80, 443]})["doors"]
    return sorted(door for door, opens in found.items() if opens is opened)


@control("X-28", active=True)
def test_the_operators_own_address_is_never_banned(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if "casemate" not in expected["jails"]:
        raise NotTestable("an operator's wrong sign-ins: no jail knows the sign-in of this application")

    def attempt(host: Host) -> dict[str, Any]:
        controller, addresses = Observer("controller"), declared["site_addresses"]
        mine: list[str] = controller.look({"sections": ["own_addresses"], "addresses": addresses})["own_addresses"]
        try:
            anchor = declared.get("trust_anchor")
            guesses = {
                "sections": ["wrong_sign_ins"],
                "guesses": GUESSES,
                "knock": False,
                "ca": Path(anchor).read_text() if anchor else None,
            }
            answers = controller.look({**guesses, "site": host.site, "address": addresses[0]})["wrong_sign_ins"]["answers"]
            seen = host.sudo("sleep 4; for set in banned4 banned6; do nft -j list set inet casemate $set; done").stdout
            served = [address for address in declared["site_addresses"] if others_are_served(address)]
            return {"answers": len(answers), "banned": [own for own in mine if f'"{own}"' in seen], "served": served}
        finally:
            host.sudo("; ".join(f"casemate unlock --address {own} >/dev/null || true" for own in mine))

    seen = host.trial("an operator's wrong sign-ins", attempt)
    see.exactly("wrong sign-ins from the operator's own address", seen["answers"], GUESSES)
    see.exactly("addresses of the operator that are banned", seen["banned"], [], show="sudo nft list set inet casemate banned4")
    show = "sudo fail2ban-client get casemate ignoreip"
    see.exactly("addresses of the site that serve the operator", seen["served"], declared["site_addresses"], show=show)


@probe("X-28", touches=("fail2ban: filter",), spoils=("BAN-002", "BAN-004"))
def the_filter_is_written_anew_and_takes_any_address_of_the_line(host: Host) -> None:
    """A looser expression, as one finds it: it also reads what a stranger wrote into the line."""
    loose = r"failregex = ^.*sign-in refused.*\"address\": \"<ADDR>\""
    host.sudo(
        f"sed -i 's/^failregex = .*/{loose}/' /etc/fail2ban/filter.d/casemate.conf && systemctl restart fail2ban && "
        "for try in $(seq 50); do fail2ban-client status casemate >/dev/null 2>&1 && break; sleep 0.1; done"
    )
