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


class KeyForm(forms.Form):
    """A build server's public key."""

    name = forms.CharField(
        label="Who holds it", max_length=100, help_text="Such as: GitHub Actions of org/shop.",
        widget=forms.TextInput(attrs={"class": "input"}),
    )  # fmt: skip
    public_key = forms.CharField(
        label="Public key", max_length=1000, help_text="Ed25519: PEM, base64 or hexadecimal. Never the private half.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "input mono", "spellcheck": "false"}),
    )  # fmt: skip
