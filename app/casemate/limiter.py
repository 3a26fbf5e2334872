"""How often something may be tried: counts in valkey, shared by all workers, and no count means no.

One instance with no eviction, reached over its socket; a key is forgotten when its time is over. What is limited here
is refused while valkey does not answer: the caller lets LimiterDown pass, and the middleware answers 503.
"""

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from casemate.errors import page

log = logging.getLogger("casemate.limiter")
PREFIX = "limit:"  # what the limiter's account may touch
ANSWERS_WITHIN = 0.5  # seconds; over a socket of this host it is a millisecond
LATER = timedelta(minutes=1)


class LimiterDown(Exception):
    """Valkey does not answer, or not as it should: nothing that is limited is done."""


class TooMany(Exception):
    """The limit was reached. A request that ends with it is answered with 429 and the time to wait."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"Too many tries; again in {wait}.")
        self.wait = wait


@dataclass(frozen=True)
class Allowance:
    allowed: bool
    wait: timedelta  # until the count begins anew; nothing where it is allowed
    count: int  # this try included


def hit(scope: str, key: str, *, limit: int, per: timedelta) -> Allowance:
    """Count one try of `key` and say whether it is among the first `limit` within `per` of the first."""
    name, milliseconds = _name(scope, key), int(per.total_seconds() * 1000)
    try:
        with _valkey().pipeline(transaction=True) as together:
            together.set(name, 0, px=milliseconds, nx=True)
            # The client's own incr() sends INCRBY, which the account may not.
            together.execute_command("INCR", name)  # type: ignore[no-untyped-call]
            together.pttl(name)
            _made, count, left = together.execute()
            if left < 0:  # it ran out between the first step and the second: a count without an end
                together.pexpire(name, milliseconds)
                together.execute()
                left = milliseconds
    except RedisError as problem:
        raise LimiterDown(type(problem).__name__) from problem
    allowed = count <= limit
    return Allowance(allowed, timedelta() if allowed else timedelta(milliseconds=left), count)


def worth_telling(scope: str, key: str) -> int:
    """How often within a minute, where that is worth a line: the 1st, 10th, 100th, … time; else 0.

    Whoever is refused in a loop would grow the log else. Without valkey each one is told.
    """
    try:
        count = hit(scope, key, limit=0, per=timedelta(minutes=1)).count
    except LimiterDown:
        return 1
    return count if str(count).rstrip("0") == "1" else 0


def require(scope: str, key: str, *, limit: int, per: timedelta) -> None:
    """`hit`, with TooMany where it is not allowed."""
    allowance = hit(scope, key, limit=limit, per=per)
    if not allowance.allowed:
        raise TooMany(allowance.wait)


def forget(scope: str, key: str) -> None:
    """Begin the count anew, as after the try that was right."""
    try:
        _valkey().delete(_name(scope, key))
    except RedisError as problem:
        raise LimiterDown(type(problem).__name__) from problem


def _name(scope: str, key: str) -> str:
    """Who tries what stands in no key: addresses of people and places stay out of valkey."""
    return f"{PREFIX}{scope}:{hashlib.sha256(key.encode()).hexdigest()}"


@cache
def _valkey() -> Redis:
    return Redis(
        unix_socket_path=str(settings.LIMITER_SOCKET),
        username="app",
        password=settings.LIMITER_PASSWORD,
        socket_timeout=ANSWERS_WITHIN,
        socket_connect_timeout=ANSWERS_WITHIN,
        # Once more, at once: a connection that valkey's restart cut is found out by using it.
        retry=Retry(NoBackoff(), 1),
        client_name="casemate",
    )


def too_many(request: HttpRequest, wait: timedelta) -> HttpResponse:
    """The one answer to too many tries, whoever made them: it tells nobody who is known here."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    minutes = math.ceil(seconds / 60)
    when = "a minute" if minutes == 1 else f"{minutes} minutes"
    answer = page(request, 429, "Too many tries", f"There were too many tries from your address; wait {when}.")
    answer.headers["Retry-After"] = str(seconds)
    return answer


class LimitPages:
    """A page for each way in which a limit stops a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        if isinstance(exception, TooMany):
            return too_many(request, exception.wait)
        if not isinstance(exception, LimiterDown):
            return None
        log.error("the limiter does not answer (%s): what it limits is refused", exception)
        sentence = "What counts the tries does not answer, so nothing was done; try again in a minute."
        answer = page(request, 503, "Not possible right now", sentence)
        answer.headers["Retry-After"] = str(int(LATER.total_seconds()))
        return answer
