"""What people type on their profile."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django import forms

from accounts.models import User
from accounts.scopes import SCOPES
from core.clock import now

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}


class ProfileForm(forms.ModelForm):
    """The name others see, and the zone times are shown in."""

    time_zone = forms.ChoiceField(choices=lambda: [(zone, zone) for zone in sorted(zoneinfo.available_timezones())])

    class Meta:
        model = User
        fields = ("name", "time_zone")
        help_texts = {"name": "As shown to others."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": ""} | kwargs)
        self.fields["time_zone"].help_text = "For dates you enter and read, and for quiet hours."
        self.fields["name"].widget.attrs["autocomplete"] = "name"


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(required=False, max_length=100, help_text="What uses it, such as “release pipeline”.")
    lifetime = forms.ChoiceField(label="Expires", required=False, choices=list(LIFETIMES.items()), initial="90")
    scopes = forms.MultipleChoiceField(
        required=False, choices=list(SCOPES.items()), widget=forms.CheckboxSelectMultiple, label="May"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "token_%s"} | kwargs)

    @property
    def expires_at(self) -> dt.datetime | None:
        days = self.cleaned_data.get("lifetime", "")
        return now() + dt.timedelta(days=int(days)) if days else None
