"""Outside, active: a person who enrols, signs in, mistypes and is refused, with secrets that must not be found in any log afterwards."""

import re
import time
from typing import Any

from verification.remote.sections import Parameters, on_request
from verification.remote.visitor import Visitor, led
from verification.remote.wire import https, request

# A quotation mark, a line break as JSON writes it, and a field that would name another address.
HOSTILE = '"\\n\x01{\\"address\\":\\"198.51.100.1\\"}TAG"@casemate.invalid'
DOORS = 20  # refusals within a moment: ten of them are within one minute, whenever it began


class Guest(Visitor):
    """The same person, over TLS and nginx."""

    def _answered(self, text: str) -> dict[str, Any]:
        for _try in range(8):
            found = https(self.parameters, text)
            # nginx lets few sign-ins a second through; its own page of 429 has no form of ours to go back to.
            if found["status"] != 429 or "retry-after" in dict(found["headers"]):
                return found
            time.sleep(1.5)
        return found


@on_request
def marked_requests(parameters: Parameters) -> list[int]:
    """Three requests with a marker in their path and secrets everywhere else: the status of each."""
    marks, site, marker = parameters["marks"], parameters["site"], parameters["marker"]
    headers = f"Cookie: preferences={marks['cookie']}\r\nAuthorization: Bearer {marks['api key']}\r\nX-Api-Key: {marks['api key']}\r\n"
    path = f"/{marker}/?api_key={marks['api key in the query']}"
    texts = (
        request("GET", path, site, headers),
        request("POST", path, site, headers, f"password={marks['body']}"),
        request("GET", f"/{marker}%E2%80%A8broken", site),
    )
    return [https(parameters, text)["status"] for text in texts]


@on_request
def canary_walk(parameters: Parameters) -> dict[str, Any]:
    """What became of each step; and the codes and session keys that were used, which the application made."""
    seen: dict[str, Any] = {}
    seen["doors"] = sorted({led(Guest(parameters).get(f"/audit/?{number}")) for number in range(DOORS)})
    carol = Guest(parameters, "carol")
    codes, keys = [], []

    def code(steps: int = 0) -> str:
        codes.append(carol.code(steps))
        return codes[-1]

    def kept() -> None:
        keys.append(carol.jar.get("__Host-sessionid", ""))

    password = carol.person["password"]
    carol.get(carol.person["path"])
    seen["password set"] = led(carol.post(carol.person["path"], password=password, again=password))
    kept()
    carol.read_seed()
    if (left := 30 - time.time() % 30) < 6:
        time.sleep(left)
    seen["second factor"] = led(carol.post("/enrol/totp/", code=code(-1)))
    kept()
    own = parameters["own"]
    seen["a page that is not hers"] = carol.get(f"/o/{own}/audit/")["status"]
    carol.get("/")
    seen["an action that is not hers"] = carol.post(f"/o/{own}/vault/new/", name="x", folder="", password="x")["status"]  # noqa: S106
    seen["another organisation"] = carol.get(f"/o/{own[::-1]}/vault/")["status"]
    carol.get("/")
    carol.post("/sign-out/")
    seen["wrong password"] = carol.give_password(parameters["marks"]["wrong password"])["status"]
    stranger = Guest(parameters)
    stranger.get("/sign-in/")
    seen["hostile name"] = stranger.post(
        "/sign-in/", email=HOSTILE.replace("TAG", parameters["own"].split("-")[1]), password=parameters["marks"]["wrong password"]
    )["status"]
    seen["right password"] = led(carol.give_password())
    kept()
    carol.get("/sign-in/verify/")
    seen["code"] = led(carol.post("/sign-in/verify/", code=code()))
    kept()
    return {**seen, "codes": codes, "keys": sorted(set(keys) - {""}), "seed": carol.seed}


@on_request
def canary_error(parameters: Parameters) -> dict[str, Any]:
    """A code for a second factor that cannot be opened any more: the error page, and the id that it gives."""
    carol = Guest(parameters, "carol")
    seen: dict[str, Any] = {"right password": led(carol.give_password())}
    carol.get("/sign-in/verify/")
    given = carol.post(f"/sign-in/verify/?token={parameters['marks']['query of the error']}", code=parameters["code"])
    number = re.search(r"\b[0-9a-f]{32}\b", given["body"])
    return {
        **seen,
        "status": given["status"],
        "id": number[0] if number else "",
        "words of a debugging page": [word for word in ("Traceback", "accept(", "InvalidTag") if word in given["body"]],
        "keys": [carol.jar.get("__Host-sessionid", "")],
    }
