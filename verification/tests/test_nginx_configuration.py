"""What `nginx -T` prints, read as nginx reads it, and the checks that look at it: each passes on what is written and fails on a trap."""

from typing import Any

import pytest

from verification import expectations
from verification.checks import configuration, edge, policy, web
from verification.host import Facts
from verification.nginx_configuration import read
from verification.remote.nginx_configuration import parsed
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotTestable, State

HSTS = 'add_header Strict-Transport-Security "max-age=300; includeSubDomains" always;'
TLS = """
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;
ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256;
ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1;
ssl_prefer_server_ciphers off;
ssl_session_tickets off;
ssl_early_data off;
"""
GOOD = (
    """# configuration file /etc/nginx/nginx.conf:
user www-data; # a { comment }
http {
    include /etc/nginx/mime.types;
    server_tokens off;
    limit_req_zone $sign_in_address zone=sign_in:10m rate=1r/s;
    limit_req_zone $binary_remote_addr zone=dynamic:10m rate=50r/s;
    limit_req_zone $binary_remote_addr zone=reports:10m rate=5r/s;
    limit_conn_zone $binary_remote_addr zone=address:10m;
    limit_conn address 100;
    map $request_uri $crooked { "~*^[^?]*(?://|\\\\\\\\|%2e{1,2})" 1; default 0; }
"""
    + TLS
    + """
    upstream application { server unix:/run/casemate/gunicorn.sock; }
    server {
        listen 80 default_server;
        listen 443 ssl default_server;
        ssl_reject_handshake on;
        return 444;
    }
    server {
        listen 443 ssl;
        server_name casemate.test;
        add_header Strict-Transport-Security "max-age=300; includeSubDomains" always;
        location ^~ /static/ {
            alias /opt/casemate/current/static/;
            add_header Strict-Transport-Security "max-age=300; includeSubDomains" always;
            add_header Cache-Control "public, max-age=31536000, immutable";
        }
        location ^~ /sign-in/ {
            limit_req zone=sign_in burst=10 nodelay;
            limit_req zone=dynamic burst=100 nodelay;
            proxy_pass http://application;
        }
        location / {
            limit_req zone=dynamic burst=100 nodelay;
            if ($crooked) { return 400; }
            proxy_pass http://application;
        }
    }
}
# configuration file /etc/nginx/mime.types:
types { text/html html; }
"""
)
MASTER = "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"
SERVED = {"status": 200, "headers": [["strict-transport-security", "max-age=300; includeSubDomains"]], "body": ""}


def states(check: Any, text: str = GOOD, **changed: Any) -> list[str]:
    """The observations that failed."""
    host, see = Stage(an_inventory()).hosts[0], Witness()
    seen = {
        "directives": parsed(text),
        "files": ["/etc/nginx/nginx.conf", "/etc/nginx/mime.types"],
        "master": [MASTER],
        "seconds that it runs unloaded": 0,
    }
    host.inside = Facts({"nginx": {"value": {**seen, **changed}}})
    host.outside = Facts({"answers": {"value": dict.fromkeys(web.kinds(host), SERVED)}})
    given = {"host": host, "see": see, "expected": expectations.load("lab", {"site_name": "casemate.test"}), "declared": {"hsts_stage": 1}}
    check(**{name: given[name] for name in check.__code__.co_varnames[: check.__code__.co_argcount]})
    assert see.observations
    return [one.what for one in see.observations if one.state is not State.PASS]


CHECKS = {
    "tls": configuration.test_every_server_block_has_the_written_tls_settings,
    "headers": configuration.test_no_location_loses_a_header,
    "folders": configuration.test_no_alias_climbs_and_nothing_lists_folders,
    "catch-all": configuration.test_unknown_hosts_fall_into_the_catch_all,
    "version": configuration.test_no_version_is_shown_and_nothing_a_client_sent_is_written_into_an_answer,
    "limits": edge.test_whatever_reaches_the_application_is_counted,
    "lifetime": edge.test_the_lifetime_is_that_of_the_declared_stage,
    "preload": edge.test_nothing_asks_to_be_preloaded,
    "caches": policy.test_nothing_between_stores_a_page,
}


def test_a_directive_that_is_inherited_counts_until_one_of_its_own_stands_there() -> None:
    root = read(parsed(GOOD))
    servers = configuration.real_servers(root)
    assert [server.where for server in servers] == ["server ", "server casemate.test"]
    assert servers[1].counts("server_tokens") == [("off",)]
    static, sign_in, *_ = servers[1].all("location")
    assert static.where == "location ^~ /static/ of server casemate.test"
    assert [words[0] for words in static.counts("add_header")] == ["Strict-Transport-Security", "Cache-Control"]
    assert [words[0] for words in sign_in.counts("add_header")] == ["Strict-Transport-Security"]
    (crooked, _default) = next(root.all("map")).inside
    assert crooked.name == r"~*^[^?]*(?://|\\|%2e{1,2})"


def test_a_file_that_is_included_counts_where_it_is_included() -> None:
    more = "# configuration file /etc/nginx/conf.d/old.conf:\nserver { listen 8443 ssl; ssl_protocols TLSv1; }\n"
    text = GOOD.replace("include /etc/nginx/mime.types;", "include /etc/nginx/mime.types;\n include conf.d/*.conf;") + more
    assert states(CHECKS["tls"], text) == ["ssl_protocols in server "]


@pytest.mark.parametrize(
    "text", ["", "# configuration file /x:\nhttp {\n", "# configuration file /x:\nhttp }\n", "# configuration file /x:\na 'b\n"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_written_passes(name: str) -> None:
    assert states(CHECKS[name]) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "seen"),
    [
        ("tls", "GCM-SHA256;\nssl_conf", "GCM-SHA256:DES-CBC3-SHA;\nssl_conf", "ssl_ciphers in server casemate.test"),
        ("tls", "ssl_reject_handshake on;", "ssl_reject_handshake on; ssl_early_data on;", "ssl_early_data in server "),
        ("tls", "ssl_early_data off;", "ssl_early_data off; ssl_conf_command Options Comp;", "ssl_conf_command in server "),
        ("headers", f"static/;\n            {HSTS}", "static/;",
         "headers that location ^~ /static/ of server casemate.test loses by headers of its own"),
        ("headers", 'includeSubDomains" always;\n        location', 'includeSubDomains";\n        location',
         "headers that an error in server casemate.test goes without"),
        ("folders", "location ^~ /static/ {", "location ^~ /static {", "aliases that climb"),
        ("folders", "current/static/;", "current/;", "folders that files are served from"),
        ("folders", "return 444;", "return 444; autoindex on;", "places that list folders or take files"),
        ("catch-all", "listen 443 ssl default_server;", "listen 443 ssl;", "addresses without a block for unknown hosts"),
        ("catch-all", "return 444;", 'return 200 "hello";', "what the block of 80 answers"),
        ("catch-all", "ssl_reject_handshake on;", "", "it gives no certificate to a strange name, on 443"),
        ("version", "location / {", "location / { server_tokens on;", "places that show a version"),
        ("version", "return 400;", "return 308 https://casemate.test$uri;", "directives that write a decoded address"),
        ("version", "proxy_pass http://application", "proxy_pass http://$host", "where requests are passed on"),
        ("limits", "limit_req zone=sign_in burst=10 nodelay;\n            limit_req zone=dynamic burst=100 nodelay;", "",
         "requests are counted in location ^~ /sign-in/ of server casemate.test"),
        ("limits", "limit_conn address 100;", "", "connections are counted in location / of server casemate.test"),
        ("limits", "rate=1r/s", "rate=100r/s", "what is counted, by whom and how fast"),
        ("lifetime", "max-age=300", "max-age=$age", "lifetimes in the configuration"),
        ("preload", "; includeSubDomains", "; includeSubDomains; preload", "headers in the configuration with preload"),
        ("caches", "location / {", "location / { proxy_cache pages;", "what lets nginx store an answer"),
    ],
)  # fmt: skip
def test_a_trap_is_seen(name: str, old: str, new: str, seen: str) -> None:
    assert old in GOOD
    assert seen in states(CHECKS[name], GOOD.replace(old, new))


def test_a_file_that_waits_for_a_reload_is_seen() -> None:
    older: dict[str, Any] = {"seconds that it runs unloaded": 12.5}
    assert states(CHECKS["tls"], **older) == ["seconds by which the workers are older than the files"]
    assert states(CHECKS["headers"], master=["nginx: master process nginx -c /tmp/other.conf"]) == ["how it was started"]
    assert states(CHECKS["headers"], files=["/etc/nginx/nginx.conf"]) == ["files that it reads"]


def test_who_may_not_ask_nginx_says_so() -> None:
    with pytest.raises(NotTestable, match="opens the logs"):
        states(CHECKS["tls"], not_testable="nginx -T opens the logs")
