"""What the restore drill writes into an appliance, and looks for again after the restore.

It runs inside the application, with its sandbox, keys and database account: `casemate shell <data.py`, with a line added that calls
`write(marker)` or `look(heads)`. Something new to lose is a function more: WRITE what makes it, by the application's own services, and LOOK
for what a restore must bring back, opened, as a digest.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from casemate.accounts.assurance import Assurance
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.services import issue_enrolment_link
from casemate.accounts.totp import new_seed
from casemate.audit.models import ChainHead, Event
from casemate.audit.origin import Origin
from casemate.organizations.services import create_organization
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership, Organization
from casemate.vault.contents import Contents
from casemate.vault.folders import create_folder
from casemate.vault.models import Password, PasswordRevision
from casemate.vault.reveals import reveal
from casemate.vault.services import change_password, create_password

Heads = dict[str, int]


def digest(values: list[str]) -> str:
    """Which values, and how many, without telling them."""
    return f"{len(values)} values, {hashlib.sha256(json.dumps(sorted(values)).encode()).hexdigest()[:16]}"


# -- write --------------------------------------------------------------------------------------------------------------------


def operators(marker: str) -> None:
    """An operator with a second factor: a seed that is sealed in the installation's scope, and a link that is still open."""
    user, _token = issue_enrolment_link(email=f"operator-{marker}@example.org", name=f"Operator {marker}")
    TotpDevice.objects.create(user=user, name="authenticator", seed=new_seed(), confirmed=True)


def vaults(marker: str) -> None:
    """Two organisations with passwords, of which one was changed and one was revealed."""
    for name in ("acme", "globex"):
        organization, _token = create_organization(name=f"{name} {marker}", slug=f"{name}-{marker}", owner=f"{name}-{marker}@example.org")
        membership = Membership.objects.get(organization=organization)
        sure = Assurance(user=membership.user, origin=Origin(), second_factor_at=datetime.now(UTC))
        with bind(organization):
            folder = create_folder(name="Servers", parent_id=None, reason_required=True, membership=membership, assurance=sure)
            kept = [
                create_password(
                    folder_id=folder.pk,
                    name=f"Server {number}",
                    parts={"password": f"secret-{marker}-{number}", "user_name": "root", "notes": f"note {marker}"},
                    membership=membership,
                    assurance=sure,
                )
                for number in range(3)
            ]
            change_password(
                password_id=kept[0].pk,
                version=kept[0].version,
                folder_id=folder.pk,
                name=kept[0].name,
                parts={"password": f"changed-{marker}"},
                membership=membership,
                assurance=sure,
            )
            reveal(password_id=kept[1].pk, reason="the drill", membership=membership, assurance=sure)


WRITE: tuple[Callable[[str], None], ...] = (operators, vaults)


def write(marker: str) -> None:
    for make in WRITE:
        make(marker)
    print(json.dumps({"written": [make.__name__ for make in WRITE]}))


# -- look ---------------------------------------------------------------------------------------------------------------------


def people(_heads: Heads) -> str:
    return digest([f"{user.email} {user.password}" for user in User.objects.all()])


def seeds(_heads: Heads) -> str:
    return digest([device.seed.reveal() for device in TotpDevice.objects.all()])


def passwords(_heads: Heads) -> str:
    found = []
    for organization in Organization.objects.all():
        with bind(organization):
            found += [f"{organization.slug} {kept.name} {Contents.open(kept.contents)!r}" for kept in Password.objects.all()]
    return digest(found)


def histories(_heads: Heads) -> str:
    found = []
    for organization in Organization.objects.all():
        with bind(organization):
            found += [f"{organization.slug} {Contents.open(former.contents)!r}" for former in PasswordRevision.objects.all()]
    return digest(found)


def events(heads: Heads) -> str:
    """The events up to where each chain ended before: a restore writes further ones."""
    found = [f"{e.stream} {e.seq} {e.mac}" for e in Event.objects.all() if e.seq <= heads.get(e.stream, e.seq if not heads else -1)]
    return digest(found)


LOOK: tuple[Callable[[Heads], str], ...] = (people, seeds, passwords, histories, events)


def look(heads: Heads) -> None:
    found: dict[str, Any] = {see.__name__: see(heads) for see in LOOK}
    print(json.dumps({"found": found, "heads": {head.stream: head.seq for head in ChainHead.objects.all()}}))
