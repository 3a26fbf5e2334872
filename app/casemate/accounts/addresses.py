"""From where each person signed in for the first time: what was stolen shows itself first as a new address."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from casemate.accounts.lockout import neighbourhood
from casemate.audit.actions import Action
from casemate.audit.models import INSTALLATION, Event


@dataclass
class Entry:
    person: str
    address: str  # of an IPv6 network of 64 bits the first that was seen
    first: datetime
    sign_ins: int
    known: int  # addresses that the person had come from before


def first_sign_ins(since: datetime) -> Iterator[Entry]:
    """Of each person the addresses that are new since then, the newest first; those before count as known."""
    signed_in = Event.objects.filter(stream=INSTALLATION, action=Action.SIGNED_IN.value, success=True).exclude(ip="")
    seen = signed_in.values("actor", "actor_label", "ip").annotate(first=Min("at"), times=Count("pk")).order_by("first")
    people: dict[str, dict[str, Entry]] = {}
    for row in seen:
        mine = people.setdefault(row["actor"], {})
        place = neighbourhood(row["ip"])
        if place in mine:
            mine[place].sign_ins += row["times"]
        else:
            mine[place] = Entry(row["actor_label"], row["ip"], row["first"], row["times"], known=len(mine))
    new = [entry for mine in people.values() for entry in mine.values() if entry.first >= since]
    return iter(sorted(new, key=lambda entry: entry.first, reverse=True))
