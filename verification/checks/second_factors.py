"""Whether everybody has a second factor, and whether the list that shows it would tell of somebody who has none."""

import secrets

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

LIST = "sudo casemate second_factors"


@control("AUTH-015")
def test_nobody_has_a_password_and_no_second_factor(host: Host, see: Witness) -> None:
    seen = host.inside["second_factors"]
    see.exactly(f"of {seen['people']} active people, those with a password and no second factor", seen["without"], 0, show=LIST)


@control("AUTH-015", active=True)
def test_the_list_names_who_has_none_and_fails(host: Host, see: Witness) -> None:
    asked = {"sections": ["second_factors_listed"], "email": f"verifier-{secrets.token_hex(6)}@casemate.invalid"}
    seen = host.trial("second factors listed", lambda host: dict(host.look_inside(asked)["second_factors_listed"]))
    see.exactly("lines that somebody with a password alone adds", seen["one more line"], 1, show=LIST)
    see.exactly("what it says of them", seen["of them"], ["NO SECOND FACTOR"], show=LIST)
    see.exactly("whether it ends with an error then", seen["fails"], True, show=f"{LIST}; echo $?")


@probe("AUTH-015", touches=("command: second factors",))
def an_exception_is_made_for_the_report(host: Host) -> None:
    patch_application(host, "accounts/management/commands/second_factors.py", "                without += 1\n", "")
