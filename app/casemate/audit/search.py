"""Looking into one stream: newest first, page by page by number, so that page 1,000 costs what page 1 does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.db.models.functions import Collate

from casemate.audit.actions import Action
from casemate.audit.models import Event
from casemate.audit.words import label, to_whom, what, who

PAGE = 50
LARGEST = 2**63 - 1
ANY_CASE = "utf8mb4_uca1400_ai_ci"  # the column itself compares byte by byte


def day(text: str) -> forms.DateField:
    return forms.DateField(
        label=text,
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Enter a day as year-month-day, such as 2026-11-30."},
    )


def number() -> forms.IntegerField:
    """Of the event at the edge of the page that one came from."""
    return forms.IntegerField(required=False, min_value=1, max_value=LARGEST)


class Search(forms.Form):
    """What is looked for. An empty field leaves all in."""

    action = forms.ChoiceField(
        label="What",
        required=False,
        error_messages={"invalid_choice": "Choose one of the events that are listed."},
    )
    actor = forms.CharField(label="Who", required=False, max_length=254, empty_value="")
    target = forms.CharField(label="To whom or what", required=False, max_length=254, empty_value="")
    since = day("From day")
    until = day("To day")
    success = forms.ChoiceField(
        label="Outcome",
        required=False,
        choices=[("", "Any"), ("yes", "Done"), ("no", "Refused or failed")],
        error_messages={"invalid_choice": "Choose one of the outcomes that are listed."},
    )
    before = number()
    after = number()

    def __init__(self, *args: Any, actions: Collection[Action], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["action"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        listed = sorted((label(action), action.value) for action in actions)
        field.choices = [("", "Anything"), *((value, text) for text, value in listed)]

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and since > until:
            self.add_error("until", "The last day is before the first one.")
        if self.errors.keys() & {"before", "after"}:
            self.add_error(None, "That page is not one of this list: begin again at the newest event.")
        return self.cleaned_data

    @property
    def narrowed(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("action", "actor", "target", "since", "until", "success"))

    def events(self, stream: str) -> QuerySet[Event]:
        given = self.cleaned_data
        events = Event.objects.filter(stream=stream)
        if given["action"]:
            events = events.filter(action=given["action"])
        if given["success"]:
            events = events.filter(success=given["success"] == "yes")
        if given["actor"]:
            events = events.annotate(actor_text=Collate("actor_label", ANY_CASE)).filter(
                actor_text__contains=given["actor"]
            )
        if given["target"]:
            events = events.annotate(target_text=Collate("target_label", ANY_CASE)).filter(
                Q(target_text__contains=given["target"]) | Q(target_id=given["target"])
            )
        if given["since"]:
            events = events.filter(at__gte=datetime.combine(given["since"], time.min, UTC))
        if given["until"]:
            events = events.filter(at__lte=datetime.combine(given["until"], time.max, UTC))
        return events


@dataclass(frozen=True)
class Line:
    event: Event
    who: str
    what: str
    to_whom: str

    @property
    def details(self) -> list[tuple[str, str]]:
        """What the words do not say yet."""
        told = {("result", "right"), ("result", "wrong"), ("times", 1)}
        return [
            (name.replace("_", " "), "yes" if value is True else str(value))
            for name, value in sorted(self.event.detail.items())
            if value is not False and (name, value) not in told
        ]


@dataclass(frozen=True)
class Page:
    lines: list[Line]
    older: int | None  # `before` of the page of older events
    newer: int | None  # `after` of the page of newer ones

    @classmethod
    def empty(cls) -> "Page":
        return cls([], None, None)


def page(search: Search, stream: str) -> Page:
    """One query. Which way one came from decides which end has more; the other end has the page that one left."""
    events, before, after = search.events(stream), search.cleaned_data["before"], search.cleaned_data["after"]
    if after:
        found = list(events.filter(seq__gt=after).order_by("seq")[: PAGE + 1])
        more_newer, more_older = len(found) > PAGE, True
        found = found[:PAGE][::-1]
    else:
        if before:
            events = events.filter(seq__lt=before)
        found = list(events.order_by("-seq")[: PAGE + 1])
        more_newer, more_older = bool(before), len(found) > PAGE
        found = found[:PAGE]
    lines = [Line(event, who(event), what(event), to_whom(event)) for event in found]
    if not found:
        return Page.empty()
    return Page(lines, found[-1].seq if more_older else None, found[0].seq if more_newer else None)
