"""The questions of an incident: one command answers each, in order of time, with the events that it is about and no others."""

import re
from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.household import SESSION
from verification.marks import control, probe
from verification.standing import looked_at
from verification.witness import Witness

INSTALLATION, ROOT = "the installation", "An operator at the host"
OF_THE_OWNER = [["OWN", f"owner {what}"] for what in ("made the folder Routers", "stored the password Router")]
OF_THE_OWNER += [["OWN", "owner changed the password Router, changed"]]
ADDED = [["OWN", f"{ROOT} added as a member {role}"] for role in ("owner", "administrator", "editor", "viewer", "auditor")]
# What was planted, by question, in its order.
PLANTED = {
    "failed-sign-ins": [
        [INSTALLATION, "Somebody not signed in gave a wrong password for editor"],
        [INSTALLATION, "auditor gave a wrong second factor"],
    ],
    "new-passwords": [[INSTALLATION, f"{ROOT} set the password of viewer"]],
    "person": OF_THE_OWNER,
    "organization": [["OWN", f"{ROOT} made the organisation Verification"], *ADDED, *OF_THE_OWNER],
}
# What else happened here within the day may stand between them, where it is of the same kind; of one person and one organisation nothing.
KINDS = {
    "failed-sign-ins": re.compile(r"gave a wrong (?:password|second factor|backup code)"),
    "new-passwords": re.compile(r"set (?:the password of|their password)"),
}


def asked(host: Host) -> dict[str, Any]:
    return host.trial("questions of an incident", lambda host: looked_at(host, "questions", "audit_questions", session=SESSION))


@control("AUD-014", active=True)
def test_each_question_is_answered_by_its_events_alone_and_in_order_of_time(host: Host, see: Witness) -> None:
    seen = asked(host)
    see.exactly("what a wrong password and a wrong second factor were answered", seen["tried"], ["200", "200"])
    for question, planted in PLANTED.items():
        told, show = seen[question], f"sudo casemate audit_events {question} --days 1"
        see.exactly(f"{question}: of what was planted", told["ours"], planted, show=show)
        kind = KINDS.get(question)
        strange = [line for line in told["others"] if not (kind and kind.search(line[1]))]
        see.exactly(f"{question}: what it is not about", strange, [], show=show)
        see.exactly(f"{question}: whether the newest comes last", told["in order"], True, show=show)


@probe("AUD-014", touches=("audit: questions",))
def the_query_of_the_policy_is_taken_over(host: Host) -> None:
    """It asks for changed passwords, and finds entries of the vault."""
    right = "stream=INSTALLATION, action=Action.PASSWORD_SET.value"
    patch_application(host, "audit/questions.py", right, "action=Action.VAULT_PASSWORD_CHANGED.value")


@probe("AUD-014", touches=("audit: questions",))
def somebody_wants_the_newest_on_top_as_on_the_page(host: Host) -> None:
    patch_application(host, "audit/questions.py", '.order_by("at", "id")', '.order_by("-at", "-id")')
