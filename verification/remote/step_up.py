"""Active: an owner whose second factor was given too long ago, at every address and before each service; and once it is fresh.

Each service is called past its page, too, by the application's own command.
"""

import json
from typing import Any
from urllib.parse import unquote

from verification.remote.sections import Parameters, on_request, output
from verification.remote.visitor import NOWHERE, Visitor, led

SHELL = ("/usr/local/sbin/casemate", "shell", "--no-imports", "--verbosity=0", "--command")
SECRET = "nobody-uses-it"  # noqa: S105  what walk.py stored
TOO_LATE = 11  # minutes; more than any profile allows
# Of what must not be in the log while the factor is too old, and is afterwards.
ACTS = (
    *("vault.password.reveal", "vault.revision.reveal", "vault.password.copy", "organizations.member.change_role"),
    *("organizations.member.end", "accounts.backup_codes.issue", "accounts.password.set", "accounts.password.check"),
)
# Those that take a form, with what a browser would send.
FORMS = {
    f"/o/ORGANIZATION/members/{NOWHERE}/": {"role": "auditor"},
    f"/o/ORGANIZATION/members/{NOWHERE}/confirm/": {},
    f"/o/ORGANIZATION/members/{NOWHERE}/end/": {},
    f"/o/ORGANIZATION/vault/{NOWHERE}/copy/": {"part": "password", "reason": "verification"},
    f"/o/ORGANIZATION/vault/{NOWHERE}/history/1/reveal/": {"reason": "verification"},
    f"/o/ORGANIZATION/vault/{NOWHERE}/reveal/": {"reason": "verification"},
    "/backup-codes/": {},
    "/password/": {"current": "not their own", "password": "seven quiet otters", "again": "seven quiet otters"},
}
SERVICES = r"""
import inspect, json, sys
from datetime import timedelta
from unittest import mock
from django.db import connection
from django.urls import get_resolver
from casemate.accounts import new_passwords, services as accounts
from casemate.accounts.assurance import Assurance
from casemate.audit.origin import Origin
from casemate.organizations import services as members
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.vault import reveals
from casemate.vault.models import Password

EXACT = {"part": "password"}  # what is looked at before all else


class Asked(Exception):
    "It would have asked the database."


def stopped(*_asked):
    raise Asked


def given(minutes):
    "The owner, whose second factor was right so many minutes ago."
    return Assurance(user=owner.user, origin=Origin(), second_factor_at=datetime.now(UTC) - timedelta(minutes=minutes))


def came(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return "done"


def told_who():
    "Each function of the pages' own modules that is told who asks, and how surely."
    get_resolver().url_patterns
    for name, module in sorted(sys.modules.items()):
        for function in list(vars(module).values()) if name.startswith("casemate.") and module else ():
            if inspect.isfunction(function) and function.__module__ == name and not function.__name__.startswith("_"):
                asked = inspect.signature(function).parameters.values()
                if any(one.annotation is Assurance for one in asked):
                    yield name.removeprefix("casemate.") + "." + function.__name__, function


def refuses(function):
    "What comes of a factor that is too old, with nothing else that is real; it never gets as far as the database."
    needed = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    filled = {one.name: EXACT.get(one.name, mock.MagicMock()) for one in needed}
    filled |= {one.name: given(LATE) for one in needed if one.annotation is Assurance}
    with connection.execute_wrapper(stopped):
        return came(lambda: function(**filled)) == "StepUpRequired"


def called(minutes):
    "What comes of each service, with what there is."
    who = {"membership": owner, "assurance": given(minutes)}
    with bind(owner.organization):
        about = {"password_id": Password.objects.get().pk, "reason": "verification", **who}
        acts = {
            "reveal": lambda: reveals.reveal(**about),
            "reveal_revision": lambda: reveals.reveal_revision(number=1, **about),
            "copy": lambda: reveals.copy(part="password", **about),
            "new_backup_codes": lambda: accounts.new_backup_codes(who=given(minutes)),
            "change": lambda: new_passwords.change(who=given(minutes), current="x", password="y", session_key=None),
            "change_role": lambda: members.change_role(member_id=viewer.pk, role="editor", **who),
            "confirm_revealing": lambda: members.confirm_revealing(member_id=viewer.pk, **who),
            "end_membership": lambda: members.end_membership(member_id=viewer.pk, **who),
        }
        # It would count as a wrong guess.
        return {name: came(act) for name, act in acts.items() if minutes or name != "change"}


members_of = Membership.objects.select_related("user", "organization").filter(organization__slug=SLUG)
owner, viewer = members_of.get(role="owner"), members_of.filter(pk=MEMBER).first()
"""
AGED = """
keys = {minutes: session_of(owner.user, **{SECOND_FACTOR: datetime.now(UTC).timestamp() - 60 * minutes}) for minutes in AGES}
names = dict(told_who())
asks = sorted(name for name, function in names.items() if refuses(function))
ids = {"person": str(owner.user.pk), "organization": str(owner.organization.pk)}
print("\\n" + json.dumps({"keys": keys, "asks": asks, "others": sorted({*names} - {*asks}), "ids": ids, "called": called(LATE)}))
"""
CALLED_FRESH = 'print("\\n" + json.dumps(called(0)))\n'


@on_request
def step_up(parameters: Parameters) -> dict[str, Any]:
    """Where each address leads with factors of several ages, what each service says to a late and to a fresh one, and what came of it."""
    ways = parameters["ways"]
    _, _, slug, _, member, _ = ways[f"/o/ORGANIZATION/members/{NOWHERE}/"].split("/")
    names = f"SLUG, MEMBER, LATE, AGES = {slug!r}, {member!r}, {TOO_LATE}, {sorted({*parameters['ages'], TOO_LATE})!r}\n"
    beginning = f"{names}{parameters['session']}{SERVICES}"
    made = shell(beginning + AGED)
    by_age = {int(minutes): Visitor(parameters) for minutes in made["keys"]}
    for minutes, visitor in by_age.items():
        visitor.jar["__Host-sessionid"] = made["keys"][str(minutes)]
    late, fresh = by_age[TOO_LATE], Visitor(parameters)
    fresh.jar["__Host-sessionid"] = parameters["sessions"]["owner"]
    reveal = f"/o/ORGANIZATION/vault/{NOWHERE}/reveal/"
    seen: dict[str, Any] = {
        "ages": {str(minutes): led(by_age[minutes].get(ways[reveal])).partition("?")[0] for minutes in parameters["ages"]},
        "asked for again": sorted(route for route, path in ways.items() if place(late.get(path), ways) == f"/step-up/ for {route}"),
        "forms": {route: sent(late, ways, route) for route in FORMS},
        "asks": made["asks"],
        "others": made["others"],
        "called": made["called"],
        "acts": acts(made["ids"]),
        "role": role(member),
    }
    shown = by(fresh, ways, reveal)
    seen["fresh"] = {
        "reveal": [shown["status"], SECRET in shown["body"]],
        "role": place(by(fresh, ways, f"/o/ORGANIZATION/members/{NOWHERE}/"), ways),
        "role then": role(member),
        "called": shell(beginning + CALLED_FRESH),
        "acts": acts(made["ids"]),
    }
    return seen


def shell(script: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(output(*SHELL, script).strip().splitlines()[-1])
    return told


def by(who: Visitor, ways: dict[str, str], route: str) -> dict[str, Any]:
    """The form of an address, sent with the token of a page that asks for no factor."""
    who.get("/")
    return who.post(ways[route], **FORMS[route])


def sent(who: Visitor, ways: dict[str, str], route: str) -> str:
    return place(by(who, ways, route), ways)


def place(given: dict[str, Any], ways: dict[str, str]) -> str:
    """The status, or where it leads, by its route; of the second factor also for which address it is asked."""
    routes = {path: route for route, path in ways.items()}
    where, _, onward = unquote(led(given)).partition("?next=")
    return f"{where} for {routes.get(onward, onward)}" if onward else routes.get(where, where)


def acts(ids: dict[str, str]) -> list[str]:
    """Which of them the log has of the organisation, or of its owner."""
    told = output(
        *("mariadb", "--batch", "--skip-column-names"),
        stdin=f"SELECT DISTINCT action FROM casemate_audit.event WHERE stream = '{ids['organization']}' OR actor = '{ids['person']}';",
    )
    return sorted({*ACTS} & {*told.split()})


def role(member: str) -> str:
    stdin = f"SELECT role FROM casemate.tenancy_membership WHERE id = '{member}';"
    return output("mariadb", "--batch", "--skip-column-names", stdin=stdin).strip()
