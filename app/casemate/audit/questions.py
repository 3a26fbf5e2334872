"""What is asked after an incident: each question has its events, in order of time."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db.models import QuerySet

from casemate.audit.actions import Action, ActorKind
from casemate.audit.models import INSTALLATION, ChainHead, Event
from casemate.tenancy.models import Organization

# What a sign-in asks for. The same is asked for elsewhere too: with a link, and before a new password.
STEPS = (Action.PASSWORD_CHECKED, Action.TOTP_CHECKED, Action.BACKUP_CODE_CHECKED)
SIGN_IN = "/sign-in/"


class Unanswerable(LookupError):
    """The text says why, and what to ask instead."""


def failed_sign_ins() -> QuerySet[Event]:
    steps = [action.value for action in STEPS]
    return Event.objects.filter(stream=INSTALLATION, action__in=steps, success=False, path__startswith=SIGN_IN)


def new_passwords() -> QuerySet[Event]:
    return Event.objects.filter(stream=INSTALLATION, action=Action.PASSWORD_SET.value)


def by_person(email: str) -> QuerySet[Event]:
    """What they did, wherever it was; people who are gone are known by the address that they had."""
    people = Event.objects.filter(actor_kind=ActorKind.PERSON.value)
    named = people.filter(actor_label=email.strip().lower()).order_by("actor").values_list("actor", flat=True)
    ids = list(named.distinct())
    if not ids:
        raise Unanswerable(f"No event says that {email} did it. Is that the whole address?")
    return people.filter(actor__in=ids)


def in_organization(slug: str) -> QuerySet[Event]:
    """By the slug; of an organisation that is gone by its id, as the log has it."""
    organization = Organization.objects.filter(slug=slug).first()
    stream = slug if organization is None else str(organization.pk)
    if stream == INSTALLATION or not ChainHead.objects.filter(stream=stream).exists():
        raise Unanswerable(f"No organisation has the slug {slug}, which is its name in addresses: /o/SLUG/.")
    return Event.objects.filter(stream=stream)


OF_ALL: Mapping[str, Callable[[], QuerySet[Event]]] = {
    "failed-sign-ins": failed_sign_ins,
    "new-passwords": new_passwords,
}
OF_ONE: Mapping[str, Callable[[str], QuerySet[Event]]] = {"person": by_person, "organization": in_organization}
QUESTIONS = (*OF_ALL, *OF_ONE)


def answer(question: str, of: str, *, since: datetime) -> QuerySet[Event]:
    """The events of one of QUESTIONS, the newest last. Raise Unanswerable."""
    if question in OF_ONE and not of:
        raise Unanswerable(
            f"Say whose events, such as: {question} {'you@example.org' if question == 'person' else 'acme'}"
        )
    if question in OF_ALL and of:
        raise Unanswerable(f"{question} is asked of everybody: leave out {of}.")
    events = OF_ONE[question](of) if of else OF_ALL[question]()
    return events.filter(at__gte=since).order_by("at", "id")
