"""The limiter: who gets in, what each account may do, and what is kept."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]


@control("APP-028")
def test_the_cache_lets_in_its_own_clients_for_their_own_work(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["limiter"], expected["limiter"]
    for command, answer in seen["stranger"].items():
        see.exactly(f"{command}, by a stranger", answer.partition(" ")[0], "NOAUTH", show="valkey-cli -s /run/casemate-limiter/valkey.sock")
    for account, commands in wanted["commands"].items():
        see.exactly(f"commands of {account}", seen["allowed"][account], commands, show="ACL DRYRUN, as the account monitor")
    allowed = {key: answer == "OK" for key, answer in seen["keys"].items()}
    see.exactly("keys that the application reads", allowed, wanted["keys"], show="ACL DRYRUN app GET KEY")


@control("APP-028")
def test_the_cache_is_bounded_and_keeps_nothing(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["limiter"], expected["limiter"]
    see.exactly("what it says of itself", {key: seen["figures"].get(key) for key in wanted["figures"]}, wanted["figures"], show="INFO")
    see.at_least("bytes that bound it", int(seen["figures"].get("maxmemory", 0)), wanted["least_memory"], show="INFO memory")
    see.exactly("its socket, its users, and nothing else", seen["kept"], wanted["kept"], show="sudo ls -la /run/casemate-limiter")
    see.exactly("Debian's own server", seen["debian's"], "masked", show="systemctl is-enabled valkey-server")
    ports = [entry for entry in host.inside["listeners"] if any("valkey" in name for name in entry["programs"])]
    see.exactly("ports of valkey", ports, [], show="sudo ss -Hltunp")


@probe("APP-028", touches=("limiter: users",))
def the_application_may_do_everything_for_a_new_feature(host: Host) -> None:
    host.replace("/etc/casemate/limiter-users.acl", "-@all +set", "+@all +set")
    host.sudo("systemctl restart casemate-limiter.service")
