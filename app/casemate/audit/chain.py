"""A stream's events are chained: mac = HMAC-SHA256(key, previous mac ‖ canonical JSON of the event)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from casemate.audit.models import GENESIS, ChainHead, Event

MAC_COVERS = tuple(f.name for f in Event._meta.concrete_fields if f.name not in {"id", "prev", "mac"})
ENOUGH = 20  # problems of one stream that are told; one broken link breaks all that follow


def canonical(event: Event) -> bytes:
    values = {name: getattr(event, name) for name in MAC_COVERS}
    values["at"] = event.at.isoformat(timespec="microseconds")
    values["success"] = bool(event.success)
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def mac_of(event: Event, key: bytes) -> str:
    return hmac.new(key, event.prev.encode() + canonical(event), hashlib.sha256).hexdigest()


@dataclass
class Report:
    stream: str
    events: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.problems


def verify(stream: str, keys: Mapping[str, bytes] | None = None) -> Report:
    """Walk a stream from its beginning and compare it with its head. Events written meanwhile are walked too."""
    keys = settings.AUDIT_KEYS if keys is None else keys
    report = Report(stream)
    head = ChainHead.objects.filter(stream=stream).first()
    if head is None:
        report.problems.append("The stream has no head.")
        return report
    previous, at_head = GENESIS, GENESIS if head.seq == 0 else ""
    for expected, event in enumerate(Event.objects.filter(stream=stream).order_by("seq").iterator(1000), start=1):
        report.events = expected
        if (problem := _fault(event, expected, previous, keys)) is not None:
            report.problems.append(problem)
            if event.seq != expected or len(report.problems) >= ENOUGH:
                return report
        previous = event.mac
        if event.seq == head.seq:
            at_head = event.mac
    if at_head != head.mac:
        report.problems.append(f"The head says {head.seq} events; the last ones are gone or are others.")
    return report


def _fault(event: Event, expected: int, previous: str, keys: Mapping[str, bytes]) -> str | None:
    if event.seq != expected:
        return f"Event {expected} is missing: the next one is {event.seq}."
    if event.prev != previous:
        return f"Event {event.seq} does not follow the one before it."
    if event.key_id not in keys:
        return f"Event {event.seq} was signed with the key {event.key_id}, which is not among the credentials."
    if not hmac.compare_digest(event.mac, mac_of(event, keys[event.key_id])):
        return f"Event {event.seq} was changed."
    return None
