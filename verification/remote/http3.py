"""Outside: HTTP/3 with aioquic (python3-aioquic of Debian), one connection, its packets sent and read by hand.

curl 8.14 of Debian 13 speaks it too and is not asked: of its requests that need QPACK's encoder stream some never leave (curl issue 21463).
"""

import importlib
import socket
import ssl
import time
from typing import Any

from verification.remote.sections import Parameters

SECONDS = 5.0
MISSING = "no aioquic there, which speaks HTTP/3: apt install python3-aioquic on an observer with Debian 13"
NO_ANSWER = "no answer"
Request = dict[str, Any]  # method, path; and where they are needed: authority, body, length (that is only said)


def missing() -> str:
    """Why HTTP/3 cannot be seen from here; nothing where it can."""
    try:
        importlib.import_module("aioquic")
    except ImportError:
        return MISSING
    return ""


class Connection:
    """A QUIC connection to the site. Closed or silent, it answers with status 0, as no answer at all."""

    def __init__(self, parameters: Parameters, name: str | None = "", address: str = "") -> None:
        quic, configuration = importlib.import_module("aioquic.quic.connection"), importlib.import_module("aioquic.quic.configuration")
        self.layer = importlib.import_module("aioquic.h3.connection")
        self.site, self.address = parameters["site"], address or parameters["address"]
        given = configuration.QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=self.site if name == "" else name)
        if name != "":
            given.verify_mode = ssl.CERT_NONE
        elif parameters["ca"]:
            given.load_verify_locations(cadata=parameters["ca"].encode())
        self.socket = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((self.address, 443))
        self.quic = quic.QuicConnection(configuration=given)
        self.http = self.layer.H3Connection(self.quic)
        self.given: dict[int, dict[str, Any]] = {}
        self.ended = ""
        self.quic.connect((self.address, 443), now=time.monotonic())

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.quic.close()
        self._send()
        self.socket.close()

    def ask(self, requests: list[Request]) -> list[dict[str, Any]]:
        """All of them at once; each answer's status, headers as they came, and what ended it where it has none."""
        streams = [self._begin(request) for request in requests]
        deadline = time.monotonic() + SECONDS
        while not self.ended and time.monotonic() < deadline and not all(self.given[one].get("whole") for one in streams):
            self._turn(deadline)
        return [{"status": 0, "headers": [], "ended": self.ended or NO_ANSWER, **self.given[one]} for one in streams]

    def _begin(self, request: Request) -> int:
        number: int = self.quic.get_next_available_stream_id()
        body = request.get("body", "").encode()
        length = request.get("length", len(body))
        headers = [(":method", request["method"]), (":scheme", "https"), (":authority", request.get("authority", self.site))]
        headers += [(":path", request["path"]), ("user-agent", "casemate-verify"), ("accept", "text/html")]
        headers += [("content-type", "application/x-www-form-urlencoded"), ("content-length", str(length))] if length else []
        self.http.send_headers(number, [(name.encode(), value.encode()) for name, value in headers], end_stream=not length)
        if body:
            self.http.send_data(number, body, end_stream=True)
        self.given[number] = {}
        return number

    def _turn(self, deadline: float) -> None:
        """Sends what is to be sent, waits for a packet or the timer, and takes what came."""
        self._send()
        timer = self.quic.get_timer()
        self.socket.settimeout(max(min(timer or deadline, deadline) - time.monotonic(), 0.001))
        try:
            self.quic.receive_datagram(self.socket.recv(65536), (self.address, 443), now=time.monotonic())
        except TimeoutError:
            if timer and time.monotonic() >= timer:
                self.quic.handle_timer(now=time.monotonic())
        except OSError as error:
            self.ended = f"{type(error).__name__}"
        while (event := self.quic.next_event()) is not None:
            self._take(event)

    def _send(self) -> None:
        for packet, _address in self.quic.datagrams_to_send(now=time.monotonic()):
            try:
                self.socket.send(packet)
            except OSError as error:
                self.ended = f"{type(error).__name__}"

    def _take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ConnectionTerminated":
            self.ended = f"closed: {event.reason_phrase or hex(event.error_code)}"
        if kind == "StreamReset" and event.stream_id in self.given:
            self.given[event.stream_id] |= {"whole": True, "ended": f"reset: {hex(event.error_code)}"}
        for told in self.http.handle_event(event):
            if (stream := self.given.get(told.stream_id)) is None:
                continue
            if type(told).__name__ == "HeadersReceived":
                pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in told.headers]
                status = next((int(value) for name, value in pairs if name == ":status"), 0)
                stream |= {"status": status, "headers": [pair for pair in pairs if pair[0] != ":status"], "ended": ""}
            # Whoever only says how long its body is hears no end of the stream: the head is the answer.
            stream["whole"] = stream.get("whole", False) or bool(stream.get("status"))
