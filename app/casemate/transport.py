"""The second layer, should the edge ever pass on what came in clear."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase


class OverTlsAlone:
    """No page and no cookie without the proxy's word for HTTPS. No redirect: behind a wrong edge it would loop."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.is_secure():
            return self.get_response(request)
        return HttpResponse(
            "This site answers over HTTPS alone.\n", status=400, content_type="text/plain; charset=utf-8"
        )
