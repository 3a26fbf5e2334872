"""A page with one sentence for each way in which a request can fail; none of them reads the database."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from casemate.log import request_id


def page(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    return render(request, "error.html", {"status": status, "title": title, "sentence": sentence}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 400, "That request was not right", "The request could not be read; go back and try again.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 403, "Not allowed", "Your account does not have the right to do that.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    sentence = "The form was too old or came from another site, so nothing was changed; open the page again."
    return page(request, 403, "That form is no longer valid", sentence)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 404, "Nothing here", "There is no page at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """With the id by which the record of it is found: `journalctl -u casemate | grep ID`."""
    sentence = "Something failed on our side; it has been logged, and nothing you entered was shown to anyone."
    sentence += f" Its number is {request_id()}."
    return page(request, 500, "An error on our side", sentence)


class MethodNotAllowedPage:
    """Django answers 405 with an empty body: give it its sentence."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 405:
            return response
        answer = page(request, 405, "Not that way", "This address does not answer that kind of request.")
        answer.headers["Allow"] = response.headers["Allow"]
        return answer
