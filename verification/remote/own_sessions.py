"""Active: a person who looks at the own sessions and ends them, and somebody else who tries to."""

import re
import time
from datetime import datetime
from typing import Any

from verification.remote.sections import Parameters, on_request
from verification.remote.visitor import Visitor, led

PAGE = "/sessions/"
ROW = re.compile(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", re.DOTALL)


@on_request
def own_sessions(parameters: Parameters) -> dict[str, Any]:
    """What is listed to alice at her desk, and where each session leads after each of what is done."""
    who = {}
    for name, key in parameters["sessions"].items():
        who[name] = Visitor(parameters)
        who[name].jar["__Host-sessionid"] = key
    desk, mallory = who["desk"], who["mallory"]

    def lead() -> dict[str, str]:
        return {name: led(visitor.get("/")) for name, visitor in who.items()}

    seen: dict[str, Any] = {"past their age": {name: led(who.pop(name).get("/")) for name in ("left alone", "too old")}}
    seen["listed"] = rows(desk.get(PAGE)["body"])
    names = re.findall(r'name="session" value="([0-9a-f]+)"', desk.page)
    seen["to mallory"] = [row["device"] for row in rows(mallory.get(PAGE)["body"])]
    for name in (*names, "others"):
        mallory.post(PAGE, session=name)
    seen["after mallory's tries"] = lead()
    desk.get(PAGE)
    desk.post(PAGE, session=names[0])
    seen["after one was ended"] = lead()
    desk.get(PAGE)
    desk.post(PAGE, session="others")
    seen["after all others were"] = lead()
    return seen


def rows(page: str) -> list[dict[str, Any]]:
    """Each row of the page: device, address, and how many minutes ago it began and was used last."""
    found = []
    for row in ROW.findall(page):
        moments = [datetime.fromisoformat(text).timestamp() for text in re.findall(r'datetime="([^"]+)"', row)]
        began, used = (round((time.time() - moment) / 60) for moment in moments)
        cells = re.findall(r'class="(?:name|short)">([^<]*)<', row)
        found.append({"device": cells[0], "address": cells[1], "began": began, "used": used, "can be ended": "<form" in row})
    return found
