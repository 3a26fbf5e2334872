"""Writing the audit log: `record()` ends a transaction, `committed` puts it on disk before the call returns."""

import random
import time
from collections.abc import Callable, Mapping
from functools import partial, wraps

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from casemate.audit import outside
from casemate.audit.actions import Action
from casemate.audit.chain import mac_of
from casemate.audit.models import GENESIS, INSTALLATION, ChainHead, Event
from casemate.audit.origin import Actor, Origin, Target

TRIES = 5
LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213
# A detail under such a name is a mistake in the caller, found by its first test.
NEVER_RECORDED = ("password", "secret", "seed", "token", "code", "key", "cookie", "session")


def committed[**P, R](service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in a transaction of its own that is on disk when the call returns.

    Lock waits and deadlocks are tried again, from the start: the service loads what it changes itself.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic(durable=True):
                    return service(*args, **kwargs)
            except OperationalError as problem:
                if problem.args[0] not in {LOCK_WAIT_TIMEOUT, DEADLOCK} or attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")

    return run


def begin_stream(stream: str) -> None:
    """Make the head of a new stream, in the transaction that makes what it tells about."""
    ChainHead.objects.create(stream=stream, seq=0, mac=GENESIS)


def record(
    action: Action,
    *,
    actor: Actor,
    origin: Origin,
    success: bool,
    target: Target | None = None,
    detail: Mapping[str, str | int | bool] | None = None,
    stream: str = INSTALLATION,
) -> Event:
    """Append one event. Last in its transaction: every other writer of the stream waits until that commits."""
    if not connection.in_atomic_block:
        raise RuntimeError("An audit event is written in the transaction of what it tells about.")
    for name in detail or {}:
        if any(word in name.lower() for word in NEVER_RECORDED):
            raise ValueError(f"The audit log keeps no secrets: {name} is not recorded.")
    target = target or Target("")
    head = ChainHead.objects.select_for_update().get(stream=stream)
    key_id, key = settings.AUDIT_KEYS.newest
    event = Event(
        stream=stream,
        seq=head.seq + 1,
        at=timezone.now(),
        actor=actor.id,
        actor_kind=actor.kind.value,
        actor_label=actor.label,
        ip=origin.ip,
        user_agent=origin.user_agent,
        path=origin.path,
        action=Action(action).value,
        target_type=target.type,
        target_id=target.id,
        target_label=target.label,
        success=success,
        detail=dict(detail or {}),
        key_id=key_id,
        prev=head.mac,
    )
    event.mac = mac_of(event, key)
    event.save(force_insert=True)
    ChainHead.objects.filter(stream=stream).update(seq=event.seq, mac=event.mac)
    transaction.on_commit(partial(outside.tell, event))
    return event
