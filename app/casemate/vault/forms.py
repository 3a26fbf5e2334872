"""Forms bound what is typed; what a name, a part or a reason may be, the services say (rules.py)."""

import uuid
from typing import Any

from django import forms

from casemate.vault.contents import PARTS
from casemate.vault.folders import Tree
from casemate.vault.models import Folder
from casemate.vault.rules import LABELS, LONGEST, LONGEST_FOLDER_NAME, LONGEST_NAME, LONGEST_REASON

LONGEST_SEARCH = 100
MOST_PAGES = 10_000
REMOVABLE = tuple(part for part in PARTS if part != "password")
NO_FOLDER = {"required": "Choose a folder.", "invalid_choice": "There is no such folder here: choose one of the list."}


def text(part: str, *, widget: forms.Widget, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=LABELS[part],
        required=False,
        strip=False,
        max_length=LONGEST[part],
        widget=widget,
        help_text=help_text,
    )


def folder_choices(tree: Tree) -> list[tuple[str, str]]:
    return [(str(node.folder.pk), node.path) for node in tree.nodes]


class PasswordForm(forms.Form):
    """A new entry. The typed password never comes back in a page; the script keeps it in the field instead."""

    name = forms.CharField(
        label="Name",
        max_length=LONGEST_NAME,
        help_text="In clear: it is what lists show and searches find. Everything below it is sealed.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    folder = forms.TypedChoiceField(label="Folder", coerce=uuid.UUID, error_messages=NO_FOLDER)
    user_name = text("user_name", widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
    password = text(
        "password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false", "data-generate": ""}),
    )
    url = text("url", widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "url", "spellcheck": "false"}))
    notes = text("notes", widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, tree: Tree, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["folder"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101
        field.choices = folder_choices(tree)

    def parts(self) -> dict[str, str]:
        return {part: self.cleaned_data[part] for part in PARTS}


class PasswordChangeForm(PasswordForm):
    """What is sealed stays sealed while it is edited: an empty field means "as it is", and removing is said apart."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)
    remove = forms.MultipleChoiceField(
        label="Remove",
        required=False,
        choices=[(part, LABELS[part]) for part in REMOVABLE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "Only the user name, the URL and the notes can be removed."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for part in PARTS:
            self.fields[part].widget.attrs["placeholder"] = "Sealed; type to replace"
        self.fields["name"].help_text = "In clear: it is what lists show and searches find."

    def parts(self) -> dict[str, str]:
        typed = {part: value for part, value in super().parts().items() if value}
        return dict.fromkeys(self.cleaned_data["remove"], "") | typed


class FolderForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=LONGEST_FOLDER_NAME, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    parent = forms.TypedChoiceField(
        label="Lies in",
        required=False,
        coerce=uuid.UUID,
        empty_value=None,
        error_messages={"invalid_choice": "There is no such folder here: choose one of the list."},
    )
    reason_required = forms.BooleanField(
        label="Ask for a reason before a password of this folder is shown",
        required=False,
        help_text="The reason stands in the audit log, beside who looked and when.",
    )

    def __init__(self, *args: Any, tree: Tree, own: Folder | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inside = tree.under(own.pk) if own else set()
        field = self.fields["parent"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101
        open_to = [node for node in tree.nodes if node.folder.pk not in inside]
        field.choices = [("", "(the top)"), *((str(node.folder.pk), node.path) for node in open_to)]


class ReasonForm(forms.Form):
    """Whether a reason is needed, the password's folder says, and the service that reads it."""

    reason = forms.CharField(
        label="Why do you need it?",
        required=False,
        max_length=LONGEST_REASON,
        help_text="For example a ticket's number. It is recorded with your name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class CopyForm(ReasonForm):
    part = forms.ChoiceField(choices=[(part, part) for part in PARTS])


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search by name or folder",
        required=False,
        max_length=LONGEST_SEARCH,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "placeholder": "Search"}),
    )
    folder = forms.UUIDField(required=False, widget=forms.HiddenInput)
    page = forms.IntegerField(required=False, min_value=1, max_value=MOST_PAGES, widget=forms.HiddenInput)
