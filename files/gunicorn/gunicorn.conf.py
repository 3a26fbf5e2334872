"""gunicorn behind nginx: it serves the socket that systemd holds, and believes what nginx says and nobody else."""

import json
import logging
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

# The release says what is run: its manifest came in the signed artefact.
_application = json.loads(Path("/opt/casemate/current/manifest.json").read_text())["application"]
wsgi_app = _application["wsgi"]
raw_env = [f"DJANGO_SETTINGS_MODULE={_application['settings']}"]
worker_class = "gthread"
workers = int(os.environ["CASEMATE_WORKERS"])
threads = int(os.environ["CASEMATE_THREADS"])
# Loaded once, before "ready" is said: an application that cannot start never takes the place of one that runs.
preload_app = True
worker_tmp_dir = "/dev/shm"  # noqa: S108 memory: the heartbeat never waits for a disk
control_socket_disable = True

# A worker that hangs is ended; one that served long is replaced, so that a leak stays small.
timeout = 30
graceful_timeout = 30
keepalive = 15
max_requests = 5000
max_requests_jitter = 500
backlog = 512

# nginx allows less of each. What reaches these limits did not come through it.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# The peer of a unix socket is nginx. A header with an underscore could pass for another one, so it is refused.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""
header_map = "refuse"
strip_header_spaces = False

accesslog = "-"
errorlog = "-"

# What is left out of a path and of what was asked for: an enrolment link is a secret until it is used, and queries may hold any.
_LINK = re.compile(r"/enrol/(?!totp/)[^/\s]+")
_QUERY = re.compile(r"\?\S+")
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


class OneLine(logging.Formatter):
    """One record, one line of JSON, in the form of the application's own: a line break in a path begins no second line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _plain(record.getMessage()),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = _plain(self.formatException(record.exc_info))
        return json.dumps(line)


class OneLineLogger(Logger):  # type: ignore[misc]
    """The lines of gunicorn itself, and one for each request: who asked for what, and what came of it."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(OneLine())

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        if not self.access_log_enabled:
            return
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        fields = {"request_id": request_id} if _REQUEST_ID.fullmatch(request_id) else {}
        fields |= {
            "address": environ.get("HTTP_X_REAL_IP", ""),
            "method": environ.get("REQUEST_METHOD", ""),
            "path": _LINK.sub("/enrol/-", _readable(environ.get("PATH_INFO", ""))),
            "status": int(str(resp.status)[:3]),
            "bytes": resp.sent,
            "ms": request_time // timedelta(milliseconds=1),
        }
        self.access_log.info("request", extra={"fields": fields})


def _readable(path: str) -> str:
    """WSGI gives the bytes of a path as if they were Latin-1, and Django puts its text in their place."""
    try:
        return path.encode("latin-1").decode()
    except UnicodeError:
        return path


def _plain(text: str) -> str:
    return _QUERY.sub("?-", _LINK.sub("/enrol/-", text))


logger_class = OneLineLogger
