"""What a real browser makes of the pages: Chromium, on the machine that verifies."""

from typing import Any

from verification import walk
from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.walk import trust_anchor as _anchor
from verification.witness import Witness

Expected = dict[str, Any]
SHOW = "the console of a browser's developer tools"


@control("WEB-018", active=True)
def test_a_walk_as_each_role_sees_no_violation(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    seen = host.trial("a walk in a browser", lambda host: walk.walked(host, _anchor(declared)))
    see.exactly("roles that walked", sorted(seen["addresses"]), sorted(walk.ROLES))
    for role, addresses in seen["addresses"].items():
        see.exactly(f"addresses that the {role} asked for", addresses, sorted(expected["addresses"]))
    for role, least in expected["walk"]["pages"].items():
        see.at_least(f"pages that the {role} was shown", seen["pages"].get(role, 0), least)
    see.exactly("violations that the browser reported", seen["violations"], [], show=SHOW)
    stayed = host.trial("a stay in a browser", lambda host: walk.stayed(host, _anchor(declared)))
    see.exactly("a secret is shown, and what that page violated", stayed["a secret that is shown"], [True, []], show=SHOW)
    see.exactly("violations that were made on purpose", made_on_purpose(stayed), ["img-src https://elsewhere.invalid/x.png"], show=SHOW)


def made_on_purpose(seen: dict[str, Any]) -> list[str]:
    return [told.removeprefix("enforce ") for told in seen["made on purpose"] if told.startswith("enforce ")]


@probe("WEB-018", touches=("templates: members",), spoils=("WEB-009",))
def a_button_gets_a_handler_in_the_page(host: Host) -> None:
    patch_application(host, "organizations/*/organizations/members.html", "<h1>", '<h1 onclick="this.hidden = true">')
