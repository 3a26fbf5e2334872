"""How a line reaches the journal casemate-audit. The settings name these, so nothing of Django is read here."""

import json
import logging
from logging.handlers import SysLogHandler

service = logging.getLogger("casemate.audit")


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(getattr(record, "event", {}))


class Journal(SysLogHandler):
    """What it does not take is told in the service's own log: the row is written, and `audit_tell` brings its line."""

    ident = "casemate-audit: "

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the standard library's name)
        if getattr(record, "must_arrive", False):
            raise  # noqa: PLE0704 (the library calls this while it handles the error)
        service.error("%s is not outside the database: the journal casemate-audit takes no line", record.getMessage())
