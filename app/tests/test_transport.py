import pytest
from django.test import Client

from tests.browser import Browser


@pytest.mark.parametrize("word", [{}, {"HTTP_X_FORWARDED_PROTO": "http"}, {"HTTP_X_FORWARDED_PROTO": "http, https"}])
@pytest.mark.parametrize("path", ["/sign-in/", "/", "/healthz", "/nowhere"])
def test_without_the_proxys_word_for_https_there_is_no_page_and_no_cookie(
    db: None, path: str, word: dict[str, str]
) -> None:
    answer = Client(SERVER_NAME="casemate.test", REMOTE_ADDR="", HTTP_X_REAL_IP="192.0.2.7", **word).get(path)
    assert (answer.status_code, answer.text, list(answer.cookies)) == (400, "This site answers over HTTPS alone.\n", [])


def test_with_it_there_are_both(browser: Browser, db: None) -> None:
    answer = browser.get("/sign-in/")
    assert (answer.status_code, "<form" in answer.text, list(answer.cookies)) == (200, True, ["__Host-csrftoken"])
