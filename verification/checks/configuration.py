"""What nginx has loaded, read as nginx reads it: a line two levels up counts, and so does one that is missing."""

from typing import Any

from verification.breaking import edit_nginx
from verification.checks.edge import loaded
from verification.host import Host
from verification.marks import control, probe
from verification.nginx_configuration import Directive
from verification.witness import Witness

Expected = dict[str, Any]
SHOW = "sudo nginx -T"
# In a redirect or a header these would write what a client sent, decoded, with its line breaks.
DECODED = ("$uri", "$document_uri")


def loaded_as_written(host: Host, see: Witness, expected: Expected) -> Directive:
    """The configuration, and whether it is what runs: the files that are meant, from where Debian starts it, and nothing newer."""
    configuration, seen = loaded(host), host.inside["nginx"]
    see.exactly("files that it reads", set(seen["files"]), set(expected["nginx"]["files"]), show=SHOW)
    see.exactly("how it was started", seen["master"], [expected["nginx"]["master"]], show="ps -C nginx -o args")
    unloaded = seen["seconds that it runs unloaded"]
    see.exactly(
        "seconds by which the workers are older than the files", unloaded, 0, show="ps -C nginx -o lstart,args; stat /etc/nginx/nginx.conf"
    )
    return configuration


def server_blocks(configuration: Directive) -> list[Directive]:
    return list(configuration.all("server"))


def real_servers(configuration: Directive) -> list[Directive]:
    """The blocks that serve; one within `upstream` is an address."""
    return [server for server in server_blocks(configuration) if server.above and server.above.name != "upstream"]


def speaks_tls(server: Directive) -> bool:
    return any({"ssl", "quic"} & {*words} for words in server.own("listen")) or bool(server.own("ssl_certificate"))


@control("TLS-003")
def test_every_server_block_has_the_written_tls_settings(host: Host, see: Witness, expected: Expected) -> None:
    servers = [server for server in real_servers(loaded_as_written(host, see, expected)) if speaks_tls(server)]
    see.at_least("server blocks that speak TLS", len(servers), 2, show=SHOW)
    for server in servers:
        for name, words in expected["tls"]["configured"].items():
            see.exactly(f"{name} in {server.where}", server.counts(name), [tuple(words)], show=f"{SHOW} | grep {name}")


@probe("TLS-003", touches=("nginx: tls",))
def a_cipher_is_appended_for_an_old_device(host: Host) -> None:
    edit_nginx(host, "ECDHE-RSA-AES128-GCM-SHA256;", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;")


@control("X-26")
def test_no_location_loses_a_header(host: Host, see: Witness, expected: Expected) -> None:
    configuration = loaded_as_written(host, see, expected)
    places = [place for place in configuration.all("location", "if", "limit_except") if place.own("add_header")]
    see.at_least("places with headers of their own", len(places), 1, show=SHOW)
    for place in places:
        lost = headers(place.above) - headers(place) if place.above else set()
        see.exactly(f"headers that {place.where} loses by headers of its own", lost, set(), show=SHOW)
    for place in (*real_servers(configuration), *places):
        policy = [words for words in place.own("add_header") if words[0].lower() != "cache-control"]
        see.exactly(f"headers that an error in {place.where} goes without", [w[0] for w in policy if w[-1] != "always"], [], show=SHOW)


def headers(place: Directive) -> set[str]:
    """The names of those that count here, its own or inherited."""
    return {words[0].lower() for words in place.counts("add_header")}


@control("X-26")
def test_no_alias_climbs_and_nothing_lists_folders(host: Host, see: Witness, expected: Expected) -> None:
    configuration = loaded(host)
    folders = list(configuration.all("alias", "root"))
    see.exactly("folders that files are served from", {one.words[0] for one in folders}, set(expected["nginx"]["folders"]), show=SHOW)
    # /static with an alias to static/ serves /static../ as well, which is one folder up.
    climbing = [one.above.where for one in folders if one.above and one.name == "alias" and not bounded(one.above, one.words[0])]
    see.exactly("aliases that climb", climbing, [], show=SHOW)
    listing = [one.above.where for one in configuration.all("autoindex", "dav_methods") if one.above and one.words != ("off",)]
    see.exactly("places that list folders or take files", listing, [], show=SHOW)


def bounded(location: Directive, folder: str) -> bool:
    """Whether a location and its alias both end with a slash, and the location is no pattern."""
    modifier, prefix = location.words[0] if len(location.words) > 1 else "", location.words[-1]
    return modifier in ("", "^~") and prefix.endswith("/") and folder.endswith("/")


@control("X-26")
def test_unknown_hosts_fall_into_the_catch_all(host: Host, see: Witness) -> None:
    configuration = loaded(host)
    servers = real_servers(configuration)
    catching = {words[0]: server for server in servers for words in server.own("listen") if "default_server" in words}
    ways = {words[0] for server in servers for words in server.own("listen")}
    see.at_least("addresses that it listens on", len(ways), 2, show=SHOW)
    see.exactly("addresses without a block for unknown hosts", ways - catching.keys(), set(), show=SHOW)
    for address, server in catching.items():
        see.exactly(f"what the block of {address} answers", server.own("return"), [("444",)], show=SHOW)
        see.exactly(f"it gives no certificate to a strange name, on {address}", server.counts("ssl_reject_handshake"), [("on",)], show=SHOW)
        see.exactly(f"locations in the block of {address}", [one.where for one in server.all("location")], [], show=SHOW)


@control("X-26")
def test_no_version_is_shown_and_nothing_a_client_sent_is_written_into_an_answer(host: Host, see: Witness) -> None:
    configuration = loaded(host)
    places = [*real_servers(configuration), *configuration.all("location")]
    see.at_least("servers and locations", len(places), 3, show=SHOW)
    see.exactly("places that show a version", [one.where for one in places if one.counts("server_tokens") != [("off",)]], [], show=SHOW)
    written = configuration.all("return", "rewrite", "add_header", "proxy_set_header", "proxy_pass", "alias", "root")
    decoded = [f"{one.name} {' '.join(one.words)}" for one in written if any(sign in word for word in one.words for sign in DECODED)]
    see.exactly("directives that write a decoded address", decoded, [], show=SHOW)
    passed = [one.words[0] for one in configuration.all("proxy_pass")]
    see.exactly("where requests are passed on", set(passed), {"http://application"}, show=SHOW)


@probe("X-26", touches=("nginx: a location",))
def a_location_gets_a_header_and_loses_the_others(host: Host) -> None:
    quick = 'location = /about { add_header Cache-Control "no-store"; return 200 "well"; }'
    edit_nginx(host, "    location = /healthz {", f"    {quick}\n        location = /healthz {{")
