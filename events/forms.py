"""What people choose to hear of."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField

from accounts.models import User
from events.models import Mode, NoticeChannel, NoticePreference
from events.notifiers.base import notice_kinds
from events.preferences import default_mode, modes_for, settings_of


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
        self.with_slack = bool(settings.SLACK_TOKEN) and hasattr(user, "slack_account")
        rows = NoticePreference.objects.filter(user=user).values_list("channel", "kind", "mode")
        chosen = {(channel, kind): mode for channel, kind, mode in rows}
        labels = dict(Mode.choices)
        for channel in NoticeChannel:
            for kind in notice_kinds().values() if channel == NoticeChannel.EMAIL or self.with_slack else ():
                self.fields[_field(channel, kind.name)] = forms.ChoiceField(
                    label=kind.label if channel == NoticeChannel.EMAIL else f"{kind.label}, in Slack",
                    required=channel == NoticeChannel.EMAIL,
                    choices=[(mode, labels[Mode(mode)]) for mode in modes_for(kind.name)],
                    initial=chosen.get((channel, kind.name), default_mode(channel, kind.name)),
                )
        times = settings_of(user)
        for name in ("quiet_from", "quiet_until", "digest_at"):
            self.fields[name].initial = getattr(times, name)

    @property
    def kinds(self) -> list[tuple[BoundField, BoundField | None]]:
        """For each kind of notice the choice for mails, and that for Slack where the person is linked."""
        return [
            (self[name], self[_field(NoticeChannel.SLACK, name)] if self.with_slack else None)
            for name in notice_kinds()
        ]

    @property
    def modes(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in notice_kinds()}

    @property
    def slack_modes(self) -> dict[str, str]:
        """What was chosen there; nothing where nobody could choose."""
        typed = {name: self.cleaned_data.get(_field(NoticeChannel.SLACK, name)) for name in notice_kinds()}
        return {name: mode for name, mode in typed.items() if mode}


def _field(channel: NoticeChannel, kind: str) -> str:
    return kind if channel == NoticeChannel.EMAIL else f"{channel.value}-{kind}"
