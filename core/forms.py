"""Forms whose rules live in the domain: they only parse, and show its refusals beside the fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from core.errors import DomainError, InvalidInput


class DomainForm(forms.Form):
    """A form whose faults are the domain's sentences, beside the field they are about."""

    # Fields as the domain names them, and as the form does.
    names: ClassVar[Mapping[str, str]] = {}
    # The code of the refusal that is shown, as every other face tells it.
    refused = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False
            field.widget.attrs.setdefault("class", _css_of(field.widget))

    def take(self, error: DomainError) -> None:
        """Show a refusal beside its field, or above the form when it has none here."""
        self.refused = error.code
        told = error.errors if isinstance(error, InvalidInput) else {error.field: [error.message]}
        for name, sentences in told.items():
            field = self.names.get(name.partition("[")[0], "")
            for sentence in sentences:
                self.add_error(field if field in self.fields else None, sentence)


def _css_of(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput | forms.RadioSelect):
        return ""
    if isinstance(widget, forms.Textarea):
        return "textarea"
    return "select" if isinstance(widget, forms.Select) else "input"


def plain_lines(text: str) -> str:
    """Line ends as we keep them; browsers send CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
