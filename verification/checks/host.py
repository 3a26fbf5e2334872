"""The host: its firewall and its SSH server, from outside and from inside."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotTestable

Expected = dict[str, Any]


@control("HOST-001")
def test_exactly_the_declared_ports_answer(host: Host, see: Witness, expected: Expected) -> None:
    # The controller stands in an admin network: to it alone SSH answers too.
    wanted = expected["ports"]["outside"] if host.seen_by_stranger else sorted([22, *expected["ports"]["outside"]])
    for address, ports in host.outside["open_ports"].items():
        see.exactly(f"ports that answer on {address}, seen from {host.witness}", ports, wanted, show=f"nmap -Pn {address}")
    seen = {(e["protocol"], e["address"], e["port"], "/".join(e["programs"])) for e in host.inside["listeners"]}
    listeners = {tuple(entry) for entry in expected["ports"]["listeners"]}
    see.exactly("every socket that listens", seen, listeners, show="sudo ss -Hltunp")


@control("HOST-001")
def test_what_no_rule_allows_is_dropped_in_and_out(host: Host, see: Witness) -> None:
    chains = [entry["chain"] for entry in host.inside["ruleset"] if "chain" in entry and "hook" in entry["chain"]]
    policies = {(chain["hook"], chain.get("policy")) for chain in chains if chain.get("type") == "filter"}
    show = "sudo nft list ruleset"
    see.exactly("policies of the filter chains", policies, {("input", "drop"), ("output", "drop"), ("forward", "drop")}, show=show)
    rules = [entry["rule"] for entry in host.inside["ruleset"] if "rule" in entry]
    hooked = {(chain["table"], chain["name"]) for chain in chains}
    open_doors = [r for r in rules if (r["table"], r["chain"]) in hooked and _lets_all_in(r["expr"])]
    see.exactly("rules that accept everything", len(open_doors), 0, show=show)


def _lets_all_in(expressions: list[dict[str, Any]]) -> bool:
    """Whether a rule accepts without asking anything of the packet."""
    return not any("match" in part or "vmap" in part for part in expressions) and any("accept" in p for p in expressions)


OPEN = """nft -j list chains | python3 -c '
import json, subprocess, sys
for entry in json.load(sys.stdin)["nftables"]:
    chain = entry.get("chain", {})
    if chain.get("hook") == "HOOK":
        subprocess.run(["nft", "insert", "rule", chain["family"], chain["table"], chain["name"], "accept"], check=True)'
"""


@probe("HOST-001", touches=("nftables: input",), spoils=("HOST-002",))
def the_firewall_is_opened_to_find_a_fault(host: Host) -> None:
    host.sudo(OPEN.replace("HOOK", "input"))


@control("HOST-002")
def test_ssh_takes_keys_only_and_only_from_where_it_may(host: Host, see: Witness, expected: Expected) -> None:
    see.exactly(
        "ways to sign in that the server offers",
        host.outside["ssh_offers"],
        ["publickey"],
        show="ssh -o PreferredAuthentications=none HOST",
    )
    for address, ports in host.outside["open_ports"].items() if host.seen_by_stranger else ():
        see.exactly(f"22 answers on {address} from {host.witness}, which is no admin network", 22 in ports, False)
    seen = {key: host.inside["sshd"].get(key, ["not set"]) for key in expected["sshd"]}
    for key, wanted in expected["sshd"].items():
        see.exactly(key, seen[key], wanted if isinstance(wanted, list) else [str(wanted)], show=f"sudo sshd -T | grep -i {key}")
    if not host.seen_by_stranger:
        raise NotTestable("whether others than the admin networks reach SSH: name a second host in the group `observers`")


@probe("HOST-002", touches=("sshd",))
def passwords_are_allowed_for_a_contractor(host: Host) -> None:
    host.sudo(
        "sed -i -E 's/^(PasswordAuthentication|KbdInteractiveAuthentication) .*/\\1 yes/; "
        "s/^AuthenticationMethods .*/AuthenticationMethods any/' /etc/ssh/sshd_config "
        "&& systemctl reload ssh && sleep 0.3"
    )


@control("HOST-011")
def test_the_application_reaches_nothing_outside(host: Host, see: Witness) -> None:
    tries = host.inside["egress"]
    see.at_least("connections that were tried", len(tries), 1)
    for attempt, answer in tries.items():
        see.exactly(f"a connection of {attempt}", answer, "no way out", show="sudo -u casemate nc -zvw2 GATEWAY 443")


@probe("HOST-011", touches=("nftables: output",), spoils=("HOST-001",))
def everything_may_leave_for_a_download(host: Host) -> None:
    host.sudo(OPEN.replace("HOOK", "output"))
