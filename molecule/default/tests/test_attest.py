"""The host's own word: the same as the controller's where both can look, and an alert on the day on which something drifted."""

from __future__ import annotations

import json
import re

from conftest import INVENTORY, ROOT, Shell, run_here

STATUS = "sudo casemate-attest status"
RUN = "sudo systemctl start casemate-attest.service"


def states(document: str) -> dict[str, str]:
    return {result["control"]: result["state"] for result in json.loads(document)["results"] if result["host"] == "casemate"}


def test_the_host_says_of_itself_what_the_controller_sees(on_host: Shell) -> None:
    assert on_host(RUN).returncode == 0
    own = states(on_host("sudo cat /var/lib/casemate-attest/latest/results.json").stdout)
    assert run_here(["casemate", "verify", "-i", INVENTORY]).returncode == 0
    ours = states((ROOT / "evidence" / "latest" / "results.json").read_text())
    assert ours.keys() == own.keys()
    differs = {control: (own[control], state) for control, state in ours.items() if own[control] != state}
    assert {own for own, _ in differs.values()} <= {"not_testable"}, "what it could not look at, and nothing else"
    assert sum(state == "pass" for state in own.values()) >= 20


def test_a_host_that_drifted_says_so_and_is_green_once_it_is_mended(on_host: Shell, converge: Shell) -> None:
    moment = on_host("date '+%Y-%m-%d %H:%M:%S'").stdout.strip()
    assert on_host("sudo chmod 0755 /var/lib/mysql").returncode == 0
    try:
        assert on_host(RUN).returncode != 0
        assert re.search(r"DB-013 .*drwxr-xr-x|DB-013 .*0755", on_host(STATUS).stdout)
        told = on_host(f"sudo journalctl -q -p alert --since='{moment}' -o cat").stdout
        assert "casemate-attest.service failed" in told
        assert "DB-013 was pass and is fail" in on_host(f"sudo journalctl -q -u casemate-attest --since='{moment}' -o cat").stdout
    finally:
        mended = converge("--tags", "mariadb,monitoring")
    assert mended.returncode == 0, mended.stdout
    assert on_host(STATUS).returncode == 0
    assert on_host("systemctl is-failed casemate-attest.service").returncode != 0
    assert "changed=0" in converge("--tags", "mariadb,monitoring").stdout


def test_who_judges_can_read_nothing_but_what_was_read_for_it(on_host: Shell) -> None:
    reach = "; ".join(f"cat {path}" for path in ("/etc/casemate/pki/edge/server.key", "/etc/shadow", "/var/log/nginx/access.log"))
    refused = on_host(f"sudo -u casemate-attest sh -c '{reach}'")
    assert refused.stdout == ""
    assert refused.stderr.count("Permission denied") == 3
    others = on_host("sudo -u www-data cat /run/casemate-attest/facts.json /var/lib/casemate-attest/latest/results.json")
    assert others.stdout == ""
    assert others.stderr.count("Permission denied") == 2
