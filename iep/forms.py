"""What the panel's dialogs ask."""

from __future__ import annotations

from django import forms


class VerbForm(forms.Form):
    """A few words that go on record."""

    message = forms.CharField(
        label="Why", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3, "class": "input"})
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    production = forms.IntegerField(required=False, widget=forms.HiddenInput)
