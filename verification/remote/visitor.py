"""A person at a browser without scripts, over the application's own socket."""

import base64
import hashlib
import hmac
import re
import socket
import time
from typing import Any
from urllib.parse import urlencode

from verification.remote.pages import looked_at
from verification.remote.sections import Parameters
from verification.remote.wire import SECONDS, answer, refusal, request

# What a cookie may say of itself and still end with the browser.
ENDS_WITH_BROWSER = {"httponly", "path", "samesite", "secure"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Visitor:
    """A browser without scripts: it keeps its cookies, and sends a page's form with the page's token."""

    def __init__(self, parameters: Parameters, name: str = "", address: str = "127.0.0.8") -> None:
        self.parameters, self.address, self.page, self.seed = parameters, address, "", ""
        self.jar: dict[str, str] = {}
        self.backup_codes: list[str] = []
        self.attributes: dict[str, list[str]] = {}  # of each cookie, as it was set last
        self.person = parameters["people"].get(name, {})
        self.agent = self.person.get("agent", "casemate-verify")

    def get(self, path: str) -> dict[str, Any]:
        return self._sent(request("GET", path, self.parameters["site"], self._cookies()))

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        """The form of the page that was looked at last."""
        site = self.parameters["site"]
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page)
        headers = self._cookies() + f"Origin: https://{site}\r\nReferer: https://{site}{path}\r\n"
        body = urlencode({**fields, "csrfmiddlewaretoken": token[1] if token else ""})
        return self._sent(request("POST", path, site, headers, body))

    def post_by_script(self, path: str, token: str | None, **fields: str) -> dict[str, Any]:
        """As a script sends a form: the token in a header, or none at all."""
        site = self.parameters["site"]
        headers = self._cookies() + f"Origin: https://{site}\r\nReferer: https://{site}{path}\r\nHX-Request: true\r\n"
        headers += "" if token is None else f"X-CSRFToken: {token}\r\n"
        return self._sent(request("POST", path, site, headers, urlencode(fields)))

    def enrol(self) -> dict[str, Any]:
        """From the link to being signed in, with what the password alone opens on the way."""
        password = self.person["password"]
        self.get(self.person["path"])
        accepted = self.post(self.person["path"], password=password, again=password)
        before = self.jar.get("__Host-sessionid", "")
        alone = {path: led(self.get(path)) for path in self.parameters["routes"]} if self.person.get("walks") else {}
        first = key_on(self.get("/enrol/totp/"))
        second_factor = self.read_seed()
        refused = self.post("/enrol/totp/", code="000000")
        wrong, shown_again = led(refused), key_on(refused)
        after_wrong = led(self.get("/"))
        time.sleep(1.1)  # the wait after one wrong code
        window = self._beside_the_window() if self.person.get("window") else {}
        # The code of the half minute before is good until this one ends, and a busy host takes some seconds to look at it.
        if (left := 30 - time.time() % 30) < 6:
            time.sleep(left)
        confirmed = self.post("/enrol/totp/", code=self.code(-1))
        self.backup_codes = backup_codes_on(confirmed)
        right = [led(confirmed), led(self.get("/"))]
        stale = Visitor(self.parameters)
        stale.jar = {**self.jar, "__Host-sessionid": before}
        stored = Visitor(self.parameters)
        digest = hashlib.sha256(self.jar.get("__Host-sessionid", "").encode()).hexdigest()
        stored.jar = {**self.jar, "__Host-sessionid": digest}
        return {
            "accepted": accepted["status"],
            "with the password alone": alone,
            "wrong code": [wrong, after_wrong],
            "right code": right,
            "the key": {
                "characters": [len(first), len(self.seed)],
                "another at the second load": first != self.seed,
                "after a wrong code": len(shown_again),
                "pages that have it once it counts": [path for path in ("/", "/enrol/totp/") if self.seed in self.get(path)["body"]],
            },
            "backup codes": len({*self.backup_codes}),
            "the window": window | {"half a minute late": right[1]},
            "the key changed": before != self.jar.get("__Host-sessionid"),
            "the old key opens": led(stale.get("/")),
            "the key is random and nothing else": bool(re.fullmatch(r"[a-z0-9]{32}", self.jar.get("__Host-sessionid", ""))),
            # What the database is to know it by; the key itself stays here.
            "digest of the key": digest,
            "the cookie is kept by": sorted({*self.attributes.get("__Host-sessionid", ["no cookie"])} - ENDS_WITH_BROWSER),
            "the digest opens": led(stored.get("/")),
            "page of the second factor": looked_at(second_factor, self.parameters["site"]),
        }

    def read_seed(self) -> dict[str, Any]:
        """The page that shows the key of a new second factor, from which an app would make its codes."""
        shown = self.get("/enrol/totp/")
        self.seed = key_on(shown)
        return shown

    def _beside_the_window(self) -> dict[str, str]:
        """Where the start page leads after a code of a minute ago, and after one of in a minute.

        Each has time until the next half minute, in which it would be another's turn.
        """
        found, pause = {}, 2.1  # the wait after a second wrong code; it doubles
        for when, steps in (("a minute late", -2), ("a minute early", 2)):
            if (left := 30 - time.time() % 30) < 6:
                time.sleep(left)
            self.post("/enrol/totp/", code=self.code(steps))
            found[when] = led(self.get("/"))
            time.sleep(pause)
            pause *= 2
        return found

    def give_password(self, password: str = "") -> dict[str, Any]:
        self.jar.clear()
        self.get("/sign-in/")
        return self.post("/sign-in/", email=self.person["email"], password=password or self.person["password"])

    def code(self, steps: int = 0) -> str:
        """RFC 6238: a code of now, or of as many half minutes later."""
        key = base64.b32decode(self.seed)
        digest = hmac.digest(key, (int(time.time() // 30) + steps).to_bytes(8, "big"), "sha1")
        offset = digest[-1] & 15
        return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"

    def _cookies(self) -> str:
        return f"Cookie: {'; '.join(f'{name}={value}' for name, value in self.jar.items())}\r\n" if self.jar else ""

    def _sent(self, text: str) -> dict[str, Any]:
        found = self._answered(text.replace("User-Agent: casemate-verify", f"User-Agent: {self.agent}"))
        for name, value in found["headers"]:
            if name == "set-cookie":
                key, _, content = value.split(";")[0].partition("=")
                self.jar[key] = content
                self.attributes[key] = sorted(part.split("=")[0].strip().lower() for part in value.split(";")[1:])
        if found["status"] == 200:
            self.page = found["body"]
        return found

    def _answered(self, text: str) -> dict[str, Any]:
        line, _, rest = text.partition("\r\n")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(3 * SECONDS)  # signing in costs an Argon2, and a small host has little to give
            try:
                connection.connect(self.parameters["socket"])
                return answer(connection, f"{line}\r\nX-Real-IP: {self.address}\r\nX-Forwarded-Proto: https\r\n{rest}")
            except OSError as error:
                return refusal(error)


def key_on(given: dict[str, Any]) -> str:
    """The key of a second factor, as the page has it to be typed; empty where it has none."""
    return "".join(re.findall(r"<span>([A-Z2-7]+)</span>", given["body"]))


def backup_codes_on(given: dict[str, Any]) -> list[str]:
    """The codes that a page has, as they are to be kept."""
    return re.findall(r"<code>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</code>", given["body"])


def led(given: dict[str, Any]) -> str:
    """200, or where a redirect leads."""
    where: str = dict(given["headers"]).get("location", str(given["status"]))
    return where


def plain_of(given: dict[str, Any]) -> list[Any]:
    """What can be told apart: status, names of headers, and the page but for its token."""
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", given["body"])
    return [given["status"], " ".join(sorted(name for name, _value in given["headers"])), hashlib.sha256(body.encode()).hexdigest()]
