"""Who guesses is shut out, and feels it. The observer guesses; the controller, which nobody bans, sees that others are still served.

fail2ban's own word proves nothing here: a ban is what the banned host notices.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import socket
import time
from collections.abc import Iterator

import pytest
from conftest import STATE, Shell

NOW = "2026-11-22T10:03:00.123+00:00"
BEFORE = f'{{"time": "{NOW}", "level": "warning", "logger": "casemate.sign_in", "message": "sign-in refused", "address": "'
TRUE = f'{BEFORE}203.0.113.9", "reason": "wrong password", "person": "alice@acme.example"}}'
LINES_OF_A_FAILED_SIGN_IN = {
    "203.0.113.9": TRUE,
    "2001:db8::9": TRUE.replace("203.0.113.9", "2001:db8::9"),
}
# What a stranger might have written into a log, or what looks like it: each would shut out 198.51.100.1.
FORGED = TRUE.replace("203.0.113.9", "198.51.100.1")
HOSTILE = [
    "prefix " + FORGED,
    FORGED + ".",
    FORGED[:-1] + ', "address": "198.51.100.1"}',
    FORGED.replace('"address"', '"address": "192.0.2.1", "address"'),
    FORGED.replace("sign-in refused", 'x", "message": "sign-in refused'),
    FORGED.replace("sign-in refused", "sign-in accepted"),
    FORGED.replace("casemate.sign_in", "casemate.request"),
    FORGED.replace("casemate.sign_in", "casemateXsign_in"),
    FORGED.replace("warning", "info"),
    FORGED.replace(NOW, f'{NOW}", "x": "'),
    FORGED.replace("198.51.100.1", "198.51.100.1 "),
    FORGED.replace("198.51.100.1", "host.example"),
    FORGED.replace("198.51.100.1", "198.51.100.1, 203.0.113.7"),
    FORGED.replace("198.51.100.1", "198.51.100.1/8"),
    json.dumps({"time": NOW, "level": "warning", "logger": "casemate.request", "message": FORGED}),
    json.dumps({"time": NOW, "level": "warning", "logger": "casemate.sign_in", "message": FORGED, "address": "x"}),
    json.dumps({"time": NOW, "level": "error", "logger": "django", "message": "boom", "traceback": f"\n{FORGED}\n"}),
    f"[2026-11-22 10:03:00 +0000] [7] [WARNING] Invalid request from ip=198.51.100.1: {FORGED}",
    f"sign-in refused address 198.51.100.1 {FORGED}",
    FORGED.replace('", "', '","'),
]
GUESS = """
import http.cookiejar, re, ssl, sys, time, urllib.error, urllib.parse, urllib.request
site, address, guesses = sys.argv[1], sys.argv[2], int(sys.argv[3])
import socket
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: look_up(address if host == site else host, *rest, **more)
context = ssl.create_default_context(cafile="/tmp/casemate-ca.crt")
jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(jar))
def ask(data=None):
    request = urllib.request.Request(f"https://{site}/sign-in/", data, {"Referer": f"https://{site}/sign-in/", "Connection": "close"})
    try:
        return browser.open(request, timeout=5).read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()
token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', ask())[1]
for number in range(guesses):
    ask(urllib.parse.urlencode({"email": f"nobody{number}@example.org", "password": "a guess", "csrfmiddlewaretoken": token}).encode())
last = time.time()
while time.time() - last < 20:
    try:
        socket.create_connection((address, 443), 1).close()
    except OSError:
        print(f"shut out {time.time() - last - 1:.2f}")
        break
    time.sleep(0.05)
else:
    print("still let in after 20 s")
"""
KNOCK = "python3 -c \"import socket; socket.create_connection(('{address}', {port}), 2)\""


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    config = (STATE / "ssh_config").read_text()
    return dict(re.findall(r"Host (\S+)\n\s+HostName (\S+)", config))


def knocks(on_host: Shell, address: str, port: int = 443) -> bool:
    """Whether the observer is let in."""
    return on_host(KNOCK.format(address=address, port=port), "observer").returncode == 0


def served_to_others(address: str) -> bool:
    with socket.create_connection((address, 443), 5):
        return True


@pytest.fixture(autouse=True)
def nobody_is_banned(on_host: Shell, addresses: dict[str, str]) -> Iterator[None]:
    lift = f"sudo casemate-ban {addresses['observer']} --lift"
    on_host(lift)
    yield
    on_host(lift)


def matched(on_host: Shell, lines: list[str]) -> list[str]:
    """The addresses that the filter finds in the lines, written into the journal as a service writes them."""
    unit = f"casemate-trial-{secrets.token_hex(4)}"
    text = "".join(f"{line}\n" for line in lines)
    seen = f"$(journalctl -q -o cat _SYSTEMD_UNIT={unit}.service | grep -c .)"
    # journald looks late at whose lines it has: who wrote them, the shell itself, stays until all of them are there under its unit.
    tell = 'while IFS= read -r line; do printf "%s\\n" "$line"; done'
    stay = f'for try in $(seq 150); do [ "{seen}" -ge {len(lines)} ] && break; sleep 0.2; done'
    write = f"sudo systemd-run --quiet --wait --pipe --unit={unit} systemd-cat -t gunicorn sh -c {shlex.quote(f'{tell}; {stay}')}"
    written = on_host(f"{write} <<'LINES'\n{text}LINES")
    assert written.returncode == 0, written.stderr
    there = on_host(f"sudo journalctl -q -o cat _SYSTEMD_UNIT={unit}.service | grep -c .").stdout.strip()
    assert there == str(len(lines)), f"{there} of {len(lines)} lines are in the journal"
    found = on_host(f"sudo fail2ban-regex -o ip -m _SYSTEMD_UNIT={unit}.service systemd-journal casemate")
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.split()


def test_the_filter_finds_the_address_of_a_failed_sign_in(on_host: Shell) -> None:
    assert matched(on_host, list(LINES_OF_A_FAILED_SIGN_IN.values())) == list(LINES_OF_A_FAILED_SIGN_IN)


def test_nothing_that_a_stranger_sends_names_another_address(on_host: Shell) -> None:
    assert matched(on_host, HOSTILE) == []


def test_the_fifth_wrong_sign_in_shuts_the_observer_out_and_nobody_else(on_host: Shell, addresses: dict[str, str]) -> None:
    authority = (STATE / "ca.crt").read_text()
    on_host(f"cat > /tmp/casemate-ca.crt <<'PEM'\n{authority}PEM\ncat > /tmp/guess.py <<'PY'\n{GUESS}PY", "observer")
    address = addresses["casemate"]
    few = on_host(f"timeout 60 python3 /tmp/guess.py casemate.test {address} 4", "observer")
    assert "still let in" in few.stdout, few.stdout + few.stderr
    fifth = on_host(f"timeout 60 python3 /tmp/guess.py casemate.test {address} 1", "observer")
    felt = re.search(r"shut out ([\d.]+)", fifth.stdout)
    assert felt, fifth.stdout + fifth.stderr + on_host("sudo journalctl -q -u fail2ban -n 20 --no-pager").stdout
    assert float(felt[1]) < 10
    assert not knocks(on_host, address, 80)
    assert served_to_others(address)
    assert on_host(f"sudo casemate-ban {addresses['observer']} --lift").returncode == 0
    assert knocks(on_host, address)


def test_guessing_at_ssh_shuts_out_where_ssh_is_open_to_the_world(on_host: Shell, converge: Shell, addresses: dict[str, str]) -> None:
    address = addresses["casemate"]
    options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=2"
    guess = f"timeout 5 ssh {options} nobody@{address} true"
    assert not knocks(on_host, address, 22)
    opened = converge("--tags", "firewall,fail2ban", "-e", '{"admin_networks": ["0.0.0.0/0", "::/0"]}')
    try:
        assert opened.returncode == 0, opened.stdout
        assert knocks(on_host, address, 22)
        on_host(f"for guess in 1 2 3 4 5; do {guess}; done; sleep 3", "observer")
        assert not knocks(on_host, address, 22)
        assert not knocks(on_host, address, 443)
        assert served_to_others(address)
    finally:
        closed = converge("--tags", "firewall,fail2ban")
    assert closed.returncode == 0, closed.stdout


def test_a_ban_outlives_the_firewall_and_fail2ban(on_host: Shell, addresses: dict[str, str]) -> None:
    address, observer = addresses["casemate"], addresses["observer"]
    assert on_host(f"sudo fail2ban-client set casemate banip {observer}").returncode == 0
    time.sleep(2)
    for happening in (
        "systemctl reload nftables",
        "systemctl restart nftables",
        "systemctl stop fail2ban",
        "systemctl start fail2ban",
        "systemctl kill -s KILL fail2ban; sleep 4; systemctl is-active fail2ban",
    ):
        assert on_host(f"sudo sh -c '{happening}'").returncode == 0, happening
        assert not knocks(on_host, address), happening
    assert on_host("sudo casemate-firewall-drifted").returncode == 1, "a ban counts as drift"
    assert on_host(f"sudo casemate-ban {observer} --lift").returncode == 0
    assert knocks(on_host, address)


def test_an_operator_shuts_an_address_out_without_fail2ban(on_host: Shell, addresses: dict[str, str]) -> None:
    address, observer = addresses["casemate"], addresses["observer"]
    assert on_host("sudo systemctl stop fail2ban").returncode == 0
    try:
        banned = on_host(f"sudo casemate-ban {observer} --for 1h")
        assert banned.returncode == 0, banned.stderr
        assert not knocks(on_host, address)
        assert served_to_others(address)
        assert on_host("sudo systemctl reload nftables").returncode == 0
        assert not knocks(on_host, address)
        assert f"{observer}/32" in on_host("sudo casemate-ban --list").stdout
        assert on_host(f"sudo casemate-ban {observer} --lift").returncode == 0
        assert knocks(on_host, address)
    finally:
        on_host("sudo systemctl start fail2ban")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("nonsense", "is no IPv4 or IPv6 address"),
        ("203.0.113.0/24", "is a network: give one address"),
        ("GATEWAY", "from where operators come"),
        ("::1", "cannot be shut out"),
        ("203.0.113.9 --for soon", "is no time: give a number with m, h, d or w"),
        ("203.0.113.9 --for 1h --lift", "give one of them"),
        ("", "Give one address"),
    ],
)
def test_bad_input_is_a_sentence_and_bans_nobody(arguments: str, sentence: str, on_host: Shell, addresses: dict[str, str]) -> None:
    before = on_host("sudo casemate-ban --list").stdout
    refused = on_host(f"sudo casemate-ban {arguments.replace('GATEWAY', addresses['casemate'].rpartition('.')[0] + '.1')}")
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert on_host("sudo casemate-ban --list").stdout == before
