"""HTTP/3 from the first packet on: who asks proves its address, knows our name, keeps to the limits, and is shut out by the same bans."""

from typing import Any

from verification.breaking import edit_nginx
from verification.checks.answers import LOG, TIMES, sign_ins
from verification.checks.bans import others_are_served
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable

Expected = dict[str, Any]
OFF = "declared.yml says http3: false"


def offered(declared: Expected) -> bool:
    return bool(declared.get("http3", True))


@control("WEB-034")
def test_a_first_packet_is_answered_with_less_than_it_brought(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    packets, wanted, on = host.outside["first_packets"], expected["first_packets"], offered(declared)
    show = f"curl -sI --http3-only https://{host.site}/"
    see.exactly("addresses that were asked", set(packets), set(declared["site_addresses"]))
    for address, seen in packets.items():
        see.exactly(f"answer of {address} to a first packet", seen["a first packet"], wanted["answer"] if on else "nothing", show=show)
        see.at_most(f"bytes of it, for 1200 of the packet ({address})", seen["bytes of the answer to it"], wanted["most_bytes"])
        see.exactly(f"answer of {address} to one that is too short", seen["a first packet that is too short"], "nothing")
        see.exactly(f"versions of QUIC that {address} speaks", seen["versions that are spoken"], wanted["versions"] if on else [])


@control("WEB-034")
def test_it_answers_to_our_own_name_alone(host: Host, see: Witness, declared: Expected) -> None:
    if not offered(declared):
        raise NotApplicable(OFF)
    seen = host.outside["strangers_by_http3"]
    if "not_testable" in seen:
        raise NotTestable(seen["not_testable"])
    statuses = {kind: answer["status"] for kind, answer in seen.items()}
    wanted = {"our own name": 200, "our name, unknown host": 0, "unknown name": 0, "no name": 0}
    see.exactly("kinds of names that were tried", set(statuses), set(wanted))
    for kind, status in statuses.items():
        see.exactly(f"status for {kind} (0: no answer)", status, wanted.get(kind), show=f"curl -sik --http3-only https://{host.site}/")


@control("WEB-034", active=True)
def test_the_limits_count_it_and_the_log_names_it(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if not offered(declared) or "429 of nginx" not in expected["answers"]["kinds_of_bad_days"]:
        raise NotApplicable(OFF if not offered(declared) else "where passwords are taken, this application alone knows")
    seen, most = sign_ins(host), expected["quic"]["sign_ins_in_a_row"]
    tries = seen["tries"]["HTTP/3"]
    if "not_testable" in tries:
        raise NotTestable(tries["not_testable"])
    show = f"sudo tail {LOG}"
    statuses = [answer["status"] for answer in tries.values()]
    see.at_least("sign-ins over HTTP/3 that nginx passed on, since people must get in", statuses.count(403), 5, show=show)
    see.at_least("sign-ins over HTTP/3 that nginx refused", statuses.count(429), TIMES - most, show=show)
    see.exactly("what else they got", sorted(set(statuses) - {403, 429}), [], show=show)
    see.exactly("sign-ins that its log calls HTTP/3.0", seen["logged"].get("HTTP/3.0"), TIMES, show=show)


@control("WEB-034", active=True)
def test_who_is_shut_out_gets_no_answer_over_udp_either(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if not offered(declared):
        raise NotApplicable(OFF)

    def attempt(host: Host) -> dict[str, Any]:
        observer, seen = host.seen_from(), {}
        host.lift_bans()
        try:
            for who in ("an operator", "fail2ban"):
                before = doors(host)
                if who == "fail2ban":
                    host.ban(expected["jails"][0])
                else:
                    host.sudo("; ".join(f"casemate-ban {address} --for 10m" for address in observer))
                seen[who] = {"before": before, "then": doors(host), "others": others_are_served(declared["site_addresses"][0])}
                host.lift_bans()
        finally:
            host.lift_bans()
        return {"bans": seen, "after the release": doors(host), "families": sorted({6 if ":" in address else 4 for address in observer})}

    seen = host.trial("bans and UDP", attempt)
    all_open = {f"[{address}]:443/udp": True for address in declared["site_addresses"]}
    see.exactly("who shut the observer out", set(seen["bans"]), {"an operator", "fail2ban"})
    for who, ban in seen["bans"].items():
        see.exactly(f"what answers before {who} shuts it out", ban["before"], all_open)
        see.exactly(
            f"what answers whom {who} has shut out",
            ban["then"],
            dict.fromkeys(all_open, False),
            show="sudo nft list chain inet casemate input",
        )
        see.exactly(f"others are served while {who} shuts one out", ban["others"], True)
    see.exactly("what answers after the release", seen["after the release"], all_open, show="sudo casemate-ban ADDRESS --lift")
    if seen["families"] != [4, 6]:
        raise NotTestable(f"a ban on both families: {host.witness} reaches the site over IPv{seen['families']} alone")


def doors(host: Host) -> dict[str, bool]:
    found: dict[str, bool] = host.look_outside({"sections": ["quic_doors"]})["quic_doors"]
    return found


@control("WEB-034", active=True)
def test_a_flood_of_first_packets_is_dropped_before_nginx(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    if not offered(declared):
        raise NotApplicable(OFF)

    def attempt(host: Host) -> dict[str, Any]:
        seen: dict[str, Any] = host.look_outside({"sections": ["quic_flood"]})["quic_flood"]
        others = others_are_served(declared["site_addresses"][0])
        host.sudo("nft flush set inet casemate quic4; nft flush set inet casemate quic6")  # the firewall counts anew
        return seen | {"others": others}

    seen, limit = host.trial("a flood of first packets", attempt), expected["quic"]["beginnings"]
    most = limit["at once"] + limit["a second"] * (seen["seconds"] + 1)
    see.at_least("first packets that were sent", seen["sent"], 600)
    see.at_least(
        "first packets that were answered, since people must get in",
        seen["answered"],
        limit["a second"],
        show="sudo nft list set inet casemate quic4",
    )
    see.at_most("first packets that were answered", seen["answered"], most, show="sudo nft list set inet casemate quic4")
    see.exactly("others are served", seen["others"], True)


@probe("WEB-034", touches=("nginx: retry",))
def the_retry_is_switched_off_to_save_a_round_trip(host: Host) -> None:
    edit_nginx(host, "    quic_retry on;", "    quic_retry off;")


@probe("WEB-034", touches=("nginx: default server",), spoils=("WEB-026",))
def the_site_becomes_the_default_server_of_http3(host: Host) -> None:
    """As it is where the listen lines of a guide stand in the site's own block alone."""
    host.sudo(
        r"sed -i -E '/listen .*443 quic reuseport default_server;/d; s/(listen .*443 quic);/\1 reuseport;/' /etc/nginx/nginx.conf "
        "&& nginx -t -q && systemctl restart nginx && sleep 0.3"
    )


@probe("WEB-034", touches=("nftables: input", "nftables: quic"), spoils=("BAN-003",))
def the_rules_are_those_from_before_http3_with_one_line_for_udp(host: Host) -> None:
    """Bans that name TCP, and nobody counts who begins."""
    host.sudo(
        "for set in banned4 banned6 blocked4 blocked6; do family=ip; [ ${set%6} = $set ] || family=ip6; "
        'handle=$(nft -a list chain inet casemate input | grep "@$set drop" | grep -o "[0-9]*$"); '
        'nft replace rule inet casemate input handle "$handle" meta l4proto tcp ct direction original $family saddr @$set drop; done; '
        "for word in @quic4 @quic6; do nft delete rule inet casemate input handle "
        "$(nft -a list chain inet casemate input | grep \"$word\" | grep -o '[0-9]*$'); done"
    )
