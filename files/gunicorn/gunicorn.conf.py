"""gunicorn behind nginx: it serves the socket that systemd holds, and believes what nginx says and nobody else."""

import json
import os
import re
from datetime import timedelta
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

# One line a request in the journal, without query strings, cookies or bodies.
accesslog = "-"
errorlog = "-"
access_log_format = 'request peer=%({x-real-ip}i)s method=%(m)s path="%(U)s" status=%(s)s bytes=%(B)s ms=%(M)s'


class CarefulLogger(Logger):  # type: ignore[misc]
    """An enrolment link is a secret until it is used: its token stays out of the log."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        found: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        found["U"] = re.sub(r"^/enrol/(?!totp/)[^/]+", "/enrol/-", found["U"] or "")
        return found


logger_class = CarefulLogger
