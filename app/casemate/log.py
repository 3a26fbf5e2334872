"""One record, one line of JSON: nothing that a stranger sends can begin a second line."""

import json
import logging
import re
from datetime import UTC, datetime

# Attributes that a call may add with `extra=`; anything else that rides on a record stays out of the log.
EXTRAS = ("address", "status_code")
# Django logs the path of what it refuses, and an enrolment link's path is a secret until it is used.
LINK = re.compile(r"/enrol/(?!totp/)[^/\s]+")


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": LINK.sub("/enrol/-", record.getMessage()),
        }
        line |= {name: str(getattr(record, name)) for name in EXTRAS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = LINK.sub("/enrol/-", self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)
