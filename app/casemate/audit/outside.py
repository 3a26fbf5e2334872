"""Each event once more, outside the database: whoever takes rows away there does not reach these lines.

journald keeps them in a namespace of its own (casemate-audit), to which this service can add, and no more.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime

from casemate.audit.models import Event

log = logging.getLogger(__name__)


def tell(event: Event, *, must_arrive: bool = False) -> None:
    """One line: the stream, the number and the code by which the row is known again, and what was done when.

    Raises OSError where it must arrive and the journal takes no line.
    """
    at = event.at.isoformat(timespec="microseconds")
    told = {"stream": event.stream, "number": event.seq, "code": event.mac, "action": event.action, "at": at}
    log.info("%s", event, extra={"event": told, "must_arrive": must_arrive})


def untold(lines: Iterable[str]) -> Iterator[Event]:
    """The events that no line has, since the first thing of which one tells: of all time, where there is no line.

    A number that has a line has had its say: a row that was altered since does not get another.
    """
    told = [json.loads(line) for line in lines if line.startswith("{")]
    has_line = {(one["stream"], one["number"]) for one in told}
    events = Event.objects.order_by("at", "id")
    if told:
        events = events.filter(at__gte=min(datetime.fromisoformat(one["at"]) for one in told))
    return (event for event in events.iterator(1000) if (event.stream, event.seq) not in has_line)
