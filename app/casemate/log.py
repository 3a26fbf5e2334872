"""One record, one line of JSON: nothing that a stranger sends can begin a second line, and no secret reaches the first.

Each line of a request carries its id, which nginx gave it: the same stands in nginx's line and in gunicorn's.
"""

import json
import logging
import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.core.signals import request_started
from django.dispatch import receiver

from casemate.redaction import redacted, text

# Attributes that a call may add with `extra=`; anything else that rides on a record stays out of the log.
EXTRAS = ("address", "reason", "person", "times", "status_code", "fields")
# Django logs the path of what it refuses, and an enrolment link's path is a secret until it is used.
LINK = re.compile(r"/enrol/(?!totp/)[^/\s]+")
# journald cuts a line at 48 KiB, and what it cuts off would be a line of its own.
LONGEST_MESSAGE, LONGEST_TRACEBACK = 2_000, 6_000
REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


@receiver(request_started)
def begin_request(environ: Mapping[str, Any] | None = None, **_signal: object) -> None:
    """Django's signal, and no middleware: what is logged after the last of these has gone is the request's too."""
    given = (environ or {}).get("HTTP_X_REQUEST_ID", "")
    _request_id.set(given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16))


def request_id() -> str:
    """Of the request that this thread answers; empty in a command."""
    return _request_id.get()


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": told(message_of(record), LONGEST_MESSAGE),
        }
        if request := request_id():
            line["request_id"] = request
        for name in EXTRAS:
            if hasattr(record, name):
                value = redacted(getattr(record, name))
                line[name] = value if isinstance(value, dict | int) else told(str(value), LONGEST_MESSAGE)
        if record.exc_info:
            # The standard library's own: the lines of the source, and none of the values that were in their variables.
            line["traceback"] = told(self.formatException(record.exc_info), LONGEST_TRACEBACK)
        return json.dumps(line, ensure_ascii=True, default=str)


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments, whose fields are told by their names while they still have them."""
    pattern = record.msg if isinstance(record.msg, str) else str(redacted(record.msg))
    arguments = redacted(record.args)
    return pattern % arguments if arguments else pattern


def told(words: str, longest: int) -> str:
    """Without secrets, and cut in the middle where it is too long: the end of a traceback says most."""
    words = text(LINK.sub("/enrol/-", words))
    return words if len(words) <= longest else f"{words[: longest // 3]} … {words[-(2 * longest // 3) :]}"
