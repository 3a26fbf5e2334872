"""TLS as the observer's OpenSSL finds it, by asking for each thing alone."""

from typing import Any

from verification.breaking import edit_nginx
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotTestable

Expected = dict[str, Any]


@control("TLS-001")
def test_the_certificate_is_valid_for_this_site(host: Host, see: Witness, declared: Expected, expected: Expected) -> None:
    site = declared["site_name"]
    show = f"openssl s_client -connect {site}:443 -verify_return_error -verify_hostname {site} -CAfile .lab/ca.crt"
    certificate = host.outside["certificate"]
    see.exactly("how a client judges it that trusts our authority", certificate["judged"], "valid", show=show)
    if certificate["judged"] != "valid":
        return
    names = {value.lower() for kind, value in certificate["names"] if kind == "DNS"}
    addresses = [value for kind, value in certificate["names"] if kind == "IP Address"]
    see.exactly("names in it", names, {site}, show=show)
    ours = expected["certificate"]["private"]
    # Others give none for addresses, or for all.
    see.one_of("addresses in it", len(addresses), (len(declared["site_addresses"]), *(() if ours else (0,))), show=show)
    see.at_least("days that it is still valid", certificate["days_left"], expected["certificate"]["days_left"], show=show)
    see.at_most("days of its life", certificate["days"], expected["certificate"]["days"], show=show)
    if ours:
        stranger = host.outside["certificate_by_strangers"]
        see.exactly("a client that does not trust our authority", stranger.split(":")[0], "refused", show=show)


# With this one no other check gets an answer over TLS.
@probe("TLS-001", touches=("edge certificate",), spoils=("WEB", "APP", "AUTH", "AUD", "TLS-002", "X-25"))
def the_certificate_is_replaced_by_a_self_signed_one(host: Host) -> None:
    host.sudo(
        "cd /etc/casemate/pki/edge && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=snake-oil "
        "-keyout server.key -out server.crt -days 30 2>/dev/null && nginx -s reload && sleep 0.3"
    )


@control("TLS-002")
def test_only_strong_protocols_and_ciphers(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    show = f"nmap --script ssl-enum-ciphers -p 443 {declared['site_name']}"
    see.exactly("protocol versions", host.outside["protocols"], expected["tls"]["protocols"], show=show)
    see.exactly("TLS 1.2 ciphers", set(host.outside["ciphers"]), set(expected["tls"]["ciphers"]), show=show)
    see.exactly("TLS 1.3 suites", set(host.outside["suites"]), set(expected["tls"]["suites"]), show=show)
    see.exactly("protocol agreed by ALPN", host.outside["alpn"], "h2", show="curl -sI --http2")


@probe("TLS-002", touches=("nginx: tls",))
def an_old_client_is_let_in_again(host: Host) -> None:
    host.sudo(
        "grep -rlZE '^\\s*ssl_protocols' /etc/nginx | xargs -0 sed -i -E "
        "'s/^(\\s*)ssl_protocols .*/\\1ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;/; s/^(\\s*)ssl_ciphers .*/\\1ssl_ciphers ALL:@SECLEVEL=0;/' "
        "&& nginx -t && nginx -s reload && sleep 0.3"
    )


@control("X-24")
def test_recorded_traffic_stays_secret_from_quantum_computers(host: Host, see: Witness, expected: Expected) -> None:
    groups = host.outside["groups"]
    if "not_testable" in groups:
        raise NotTestable(groups["not_testable"])
    show = f"openssl s_client -connect {host.site}:443 -groups X25519MLKEM768 (OpenSSL 3.5)"
    see.exactly("group that is taken by itself", groups["preferred"], "X25519MLKEM768", show=show)
    see.exactly("groups that are accepted", set(groups["accepted"]), set(expected["tls"]["groups"]), show=show)


@probe("X-24", touches=("nginx: groups",), spoils=("TLS-003",))
def an_old_list_of_curves_is_pasted(host: Host) -> None:
    edit_nginx(host, "ssl_ecdh_curve X25519MLKEM768:", "ssl_ecdh_curve ")
