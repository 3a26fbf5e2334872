from collections.abc import Collection
from typing import Any

from django import forms

from casemate.tenancy.permissions import Role


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label="Role",
        error_messages={"invalid_choice": "Choose one of the roles that are listed."},
    )

    def __init__(self, *args: Any, roles: Collection[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(role.value, role.label) for role in Role if role in roles]


class EndForm(forms.Form):
    """Nothing to fill in: what it is about stands in its address."""
