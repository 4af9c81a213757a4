"""What people choose to hear of."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from accounts.models import User
from events.models import Mode, NoticePreference
from events.notifiers.base import notice_kinds
from events.preferences import modes_for, settings_of


class PreferencesForm(forms.Form):
    """One choice for each kind of notice, quiet hours, and when the digest comes."""

    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Empty: no quiet hours.",
    )  # fmt: skip
    quiet_until = forms.TimeField(
        label="Quiet until", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="What comes in between is sent as one mail then.",
    )  # fmt: skip
    digest_at = forms.TimeField(
        label="Daily digest at", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="In the time zone of your profile.",
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        chosen = dict(NoticePreference.objects.filter(user=user).values_list("kind", "mode"))
        labels = dict(Mode.choices)
        for kind in notice_kinds().values():
            self.fields[kind.name] = forms.ChoiceField(
                label=kind.label,
                choices=[(mode, labels[Mode(mode)]) for mode in modes_for(kind.name)],
                initial=chosen.get(kind.name, Mode.NOW),
            )
        settings = settings_of(user)
        for name in ("quiet_from", "quiet_until", "digest_at"):
            self.fields[name].initial = getattr(settings, name)

    @property
    def kinds(self) -> list[BoundField]:
        return [self[name] for name in notice_kinds()]

    @property
    def modes(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in notice_kinds()}
