"""What the REST face of CDEvents takes: parameters, bodies, and messages in their three content types."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.parsers import BaseParser

from core.rest import MomentField, StrictQuery, StrictSerializer, TextField, TooLarge
from events.cdevents.cloudevents import BARE, BATCH, STRUCTURED
from events.cdevents.emission import PROFILES
from events.models import LetterState, SourceKind

MAX_PAGE = 200


class RawParser(BaseParser):
    """The body as it came, for the codec to read; Latin-1 is how bytes travel as text."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, str]:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 2 * 1024 * 1024
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(f"Send at most {limit} bytes at a time.")
        return {"content_type": self.media_type, "content": content.decode("latin-1")}


class BareParser(RawParser):
    """Binary mode, and CDEvents by themselves."""

    media_type = BARE


class StructuredParser(RawParser):
    """One CloudEvent."""

    media_type = STRUCTURED


class BatchParser(RawParser):
    """A list of CloudEvents."""

    media_type = BATCH


class PageQuery(StrictQuery):
    """How much, and from where on."""

    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=MAX_PAGE)
    before = serializers.IntegerField(required=False, min_value=1, help_text="Those older than this number.")


class ReceivedQuery(PageQuery):
    """What to show of the received events."""

    tenant = TextField(required=False)
    type = TextField(required=False, help_text="The whole type, or its beginning, such as dev.cdevents.change.")
    source = TextField(required=False)  # type: ignore[assignment]
    eventId = TextField(required=False, help_text="context.id")
    subjectId = TextField(required=False)
    chainId = TextField(required=False)
    ticket = TextField(required=False, help_text="A ticket's key.")
    since = MomentField(required=False, help_text="Happened then or later.")
    until = MomentField(required=False, help_text="Happened before.")


class LinksQuery(PageQuery):
    """Of which chain."""

    tenant = TextField(required=False)
    chainId = TextField(required=False)


class LettersQuery(PageQuery):
    """Which dead letters."""

    tenant = TextField(required=False)
    state = serializers.ChoiceField(choices=LetterState.choices, required=False, default=LetterState.WAITING)
    code = TextField(required=False)


class EmittedQuery(StrictQuery):
    """From where on, in which words, and which types."""

    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**62)
    limit = serializers.IntegerField(
        required=False, default=100, min_value=1, max_value=MAX_PAGE, help_text="How many facts to look at."
    )
    profile = serializers.ChoiceField(choices=list(PROFILES), required=False, default="standard")
    types = TextField(required=False, help_text="Patterns such as dev.cdevents.ticket.*, separated by commas.")
    tenant = TextField(required=False)
    form = serializers.ChoiceField(choices=["cloudevents", "cdevents"], required=False, default="cloudevents")


class IngestQuery(StrictQuery):
    """For whom."""

    tenant = TextField(required=False, help_text="Where you may record events in several. Or the header X-Tenant.")


class DryRunForm(StrictSerializer):
    """A payload as a webhook would send it."""

    kind = serializers.ChoiceField(choices=SourceKind.choices)
    event = TextField(required=False, default="", help_text="As in X-GitHub-Event or X-Gitlab-Event.")
    payload = serializers.JSONField()
    tenant = TextField(required=False, default="", help_text="Whose tickets are looked for.")


class NothingForm(StrictSerializer):
    """No fields."""
