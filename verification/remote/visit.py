"""Outside, active: somebody with an enrolment link, who sets a password, and somebody who guesses one."""

import re
from typing import Any
from urllib.parse import quote

from verification.remote.sections import Parameters, on_request
from verification.remote.wire import https, request


@on_request
def enrolment(parameters: Parameters) -> dict[str, Any]:
    """Opens the link, sets the password, and tries to sign in with a wrong one: the answers, without their secrets."""
    opened = https(parameters, request("GET", parameters["path"], parameters["site"]))
    password = quote(parameters["password"])
    accepted = send(parameters, parameters["path"], opened, f"password={password}&again={password}")
    page = https(parameters, request("GET", "/sign-in/", parameters["site"]))
    guess = send(parameters, "/sign-in/", page, f"email={quote(parameters['email'])}&password=a-wrong-guess-of-it")
    return {"opened": opened["status"], "accepted": accepted["status"], "guess": guess["status"], "cookies": cookies(accepted)}


def cookies(answer: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The attributes of each cookie, in lower case; its value stays here."""
    found = {}
    for name, value in answer["headers"]:
        if name == "set-cookie":
            first, *rest = value.split(";")
            attributes = (part.strip().partition("=") for part in rest)
            found[first.partition("=")[0]] = {key.lower(): setting.lower() for key, _, setting in attributes}
    return found


def send(parameters: Parameters, path: str, page: dict[str, Any], fields: str) -> dict[str, Any]:
    """Posts a page's own form as a browser does, with its cookie and its token."""
    jar = "; ".join(value.split(";")[0] for name, value in page["headers"] if name == "set-cookie")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page["body"])
    headers = f"Cookie: {jar}\r\nOrigin: https://{parameters['site']}\r\nReferer: https://{parameters['site']}{path}\r\n"
    body = f"{fields}&csrfmiddlewaretoken={token[1] if token else ''}"
    return https(parameters, request("POST", path, parameters["site"], headers, body))
