"""A unit fails, and somebody is told: in the journal, and by a mail that truly arrives at a relay with TLS and a password."""

from __future__ import annotations

import email
import email.policy
import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import Shell

TAKEN = "/var/lib/private/casemate-lab-relay"
ANCHOR = "/etc/casemate/mail-relay.crt"
CREDENTIAL = "/etc/credstore.encrypted/mail-relay-password"
Until = Callable[..., str]


@pytest.fixture
def until(on_host: Shell) -> Until:
    """What a command prints, as soon as it prints anything. Fails after half a minute."""

    def wait(command: str, host: str = "casemate", seconds: float = 30) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if said := on_host(command, host).stdout.strip():
                return said
            time.sleep(0.5)
        journal = on_host("sudo journalctl -q -n 30 -t casemate-mail -t casemate-alert --no-pager").stdout
        raise AssertionError(f"{command} printed nothing on {host} in {seconds} s\n{journal}")

    return wait


@pytest.fixture
def failing(on_host: Shell) -> Iterator[str]:
    """A unit of a name that was never seen, and that ends with 7 when it is started."""
    name = f"casemate-trial-{secrets.token_hex(4)}.service"
    text = "[Unit]\nOnFailure=casemate-alert@%n.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the last word; exit 7'\n"
    made = on_host(f"sudo tee /run/systemd/system/{name} >/dev/null <<'UNIT'\n{text}UNIT\nsudo systemctl daemon-reload")
    assert made.returncode == 0, made.stderr
    yield name
    on_host(f"sudo rm /run/systemd/system/{name}; sudo systemctl daemon-reload; sudo systemctl reset-failed {name}")


def fail(on_host: Shell, unit: str) -> None:
    assert on_host(f"sudo systemctl start {unit}").returncode != 0


def mail_about(unit: str, until: Until) -> str:
    return until(f"sudo grep -rl '^Subject:.*{unit} failed' {TAKEN} | head -n 1 | xargs -r sudo cat", "observer")


def test_a_failed_unit_is_in_the_journal_and_in_the_mail(failing: str, on_host: Shell, until: Until) -> None:
    fail(on_host, failing)
    assert "exit status 7" in until(f"sudo journalctl -q -p alert -o cat --since=-1min | grep '^{failing} failed'")
    message = email.message_from_string(mail_about(failing, until), policy=email.policy.default)
    assert message["To"] == "operators@casemate.test"
    body = message.get_content()
    assert "the last word" in body
    assert "exit status 7" in body
    assert on_host("sudo casemate-mail status | grep -c queue").stdout.strip() == "0"


@pytest.fixture
def relay_that_no_authority_of_ours_signed(on_host: Shell) -> Iterator[None]:
    """The appliance trusts another authority, so to it the relay's certificate is a stranger's."""
    other = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj '/CN=Another' -keyout /dev/null"
    assert on_host(f"sudo cp -p {ANCHOR} {ANCHOR}.kept && sudo {other} -out {ANCHOR} && sudo chmod 644 {ANCHOR}").returncode == 0
    yield
    assert on_host(f"sudo mv {ANCHOR}.kept {ANCHOR}").returncode == 0


@pytest.fixture
def wrong_password(on_host: Shell) -> Iterator[None]:
    wrong = "echo wrong-one | sudo casemate-credentials set mail-relay-password"
    assert on_host(f"sudo cp -p {CREDENTIAL} /root/kept && {wrong}").returncode == 0
    yield
    assert on_host(f"sudo mv /root/kept {CREDENTIAL}").returncode == 0


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [("relay_that_no_authority_of_ours_signed", "its certificate was refused"), ("wrong_password", "refused our user or password")],
)
def test_what_the_relay_does_not_get_waits_and_arrives_later(
    trouble: str, sentence: str, failing: str, on_host: Shell, until: Until, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(trouble)
    fail(on_host, failing)
    until(f"sudo journalctl -q -p err -o cat -t casemate-mail --since=-1min | grep '{sentence}'")
    assert failing in on_host("sudo casemate-mail status").stdout
    assert on_host(f"sudo grep -rl '{failing} failed' {TAKEN}", "observer").returncode != 0


def test_what_waited_arrives_once_the_relay_is_reached(on_host: Shell, until: Until) -> None:
    """After the two tests above, with nobody's help but the next attempt (here at once, by itself within a minute)."""
    on_host("sudo systemctl start casemate-mail")
    assert on_host("sudo casemate-mail status | grep -c '^queue'").stdout.strip() == "0"
    assert until(f"sudo grep -rh '^Subject: .*casemate-trial' {TAKEN}", "observer").count("casemate-trial") >= 2


def test_only_the_account_that_mails_reaches_the_relay(on_host: Shell) -> None:
    relay = on_host("sudo casemate-mail status").stdout.split()[1]
    address, _, port = relay.rpartition(":")
    knock = f"import socket; socket.create_connection(('{address}', {port}), 3)"
    assert on_host(f'sudo -u casemate-mail python3 -c "{knock}"').returncode == 0
    for account in ("casemate", "www-data", "root"):
        refused = on_host(f'sudo -u {account} python3 -c "{knock}"')
        assert refused.returncode != 0, f"{account} reaches the relay"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("{mail_alert_address: ''}", "give both, or neither"),
        ("{mail_relay: {host: mail.example.org, user: u, port: 70000}}", "port a number up to 65535"),
        ("{mail_relay: {host: mail.example.org}}", "mail_relay is refused"),
    ],
)
def test_half_a_relay_is_refused_before_anything_is_changed(setting: str, sentence: str, converge: Shell) -> None:
    refused = converge("--tags", "mail", "-e", setting)
    assert refused.returncode != 0
    assert sentence in " ".join(refused.stdout.split()), refused.stdout
    assert "changed=0" in refused.stdout
