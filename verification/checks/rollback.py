"""The policy of a host can be taken back, and it is known beforehand what would go and what stays."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotApplicable

Expected = dict[str, Any]
PROGRAM, PLAN = "/usr/local/sbin/casemate-rollback", "sudo casemate-rollback plan"
KEYS = ("etc/credstore.encrypted", "etc/casemate/pki")
NO_PLAN: Expected = {"back": [], "away": [], "left to their makers": [], "never looked at": [], "stays": {}}


@control("X-08")
def test_a_rollback_would_take_the_policy_back_and_leave_the_data(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["rollback"], expected["rollback"]
    if "never" in seen:
        raise NotApplicable(f"{seen['never']}: {PLAN}")
    see.exactly("why it would be refused", seen["refused"], "", show=PLAN)
    plan = seen.get("plan") or NO_PLAN
    would_go = {*plan["back"], *plan["away"]}
    policy = [*wanted["policy"], *(path for tier in sorted(host.tiers) for path in wanted["policy_of"].get(tier, []))]
    forgotten = sorted({*policy} - would_go - {*plan["left to their makers"]})
    see.exactly("files of the policy that would stay", forgotten, [], show=PLAN)
    at_risk = {*wanted["never"]} - {*plan["never looked at"]} | {path for path in would_go if path.startswith(KEYS)}
    see.exactly("accounts and keys that could go", sorted(at_risk), [], show=PLAN)
    data = [*wanted["data"], *(path for tier in sorted(host.tiers) for path in wanted["data_of"].get(tier, []))]
    see.exactly("data that it does not name", sorted({*data} - {*plan["stays"].get("data", [])}), [], show=PLAN)
    accounts = plan["stays"].get("accounts", {}).get("people and services", [])
    see.exactly("accounts that it does not name", sorted({*wanted["accounts"]} - {*accounts}), [], show=PLAN)
    see.at_least("packages that stay", len(plan["stays"].get("packages", [])), wanted["packages"], show=PLAN)


@control("X-08")
def test_what_was_kept_for_it_is_roots_alone(host: Host, see: Witness, expected: Expected) -> None:
    rights = dict(host.inside["rollback"]["rights"])
    show = f"sudo ls -la {expected['rollback']['kept']}"
    see.exactly("the folder", rights.pop(expected["rollback"]["kept"].rpartition("/")[2], "missing"), "root:root 0700", show=show)
    others = {name: mode for name, mode in rights.items() if mode != "root:root 0600"}
    see.exactly("files in it that somebody else could read", others, {}, show=show)
    see.at_least("files in it", len(rights), 1, show=show)


@probe("X-08", touches=("casemate-rollback",))
def somebody_shortens_the_list_of_what_is_left_alone(host: Host) -> None:
    host.replace(PROGRAM, '"etc/credstore.encrypted", "etc/credstore.encrypted/*", ', "")


@probe("X-08", touches=("casemate-as-found",))
def what_was_kept_is_opened_to_compare_something(host: Host) -> None:
    host.sudo("chmod 0755 /var/lib/casemate-as-found")
