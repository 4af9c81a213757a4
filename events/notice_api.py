"""REST of muting: which things the caller does not want to hear of."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import ANY_TOKEN
from accounts.models import User
from accounts.rest import ApiView
from core.canonical import utc_text
from core.errors import NotFound
from core.rest import StrictQuery
from events import notices
from events.preferences import muted_things, tenant_of_thing


class WhoseQuery(StrictQuery):
    """Whose thing it is."""

    tenant = serializers.CharField(
        required=False, help_text="Needed where several of your tenants have one of this id."
    )


class Muted(serializers.Serializer[Any]):
    """A thing that I hear nothing of."""

    type = serializers.CharField()
    id = serializers.CharField()
    tenant = serializers.CharField(allow_null=True, help_text="Whose; null: whichever tenant's.")
    since = serializers.DateTimeField()


class MutedView(ApiView):
    scopes = ANY_TOKEN
    tag = "Oneself"

    @extend_schema(operation_id="list_muted", responses=Muted(many=True))
    def get(self, request: Request) -> Response:
        """What I muted, the last one first."""
        things = muted_things(self.user)
        return Response(
            [
                {
                    "type": each.subject_type,
                    "id": each.subject_id,
                    "tenant": each.tenant.slug if each.tenant else None,
                    "since": utc_text(each.created_at),
                }
                for each in things
            ]
        )


class OneMutedView(ApiView):
    """Muting one thing, and hearing of it again; both may be repeated."""

    scopes = ANY_TOKEN
    queries = {"PUT": WhoseQuery, "DELETE": WhoseQuery}
    tag = "Oneself"

    @extend_schema(operation_id="mute", request=None, responses={204: None})
    def put(self, request: Request, kind: str, thing: str) -> Response:
        """Hear no more of it."""
        notices.mute(**_subject(self.user, kind, thing, self.query.get("tenant", "")), by=self.user)
        return Response(status=204)

    @extend_schema(operation_id="unmute", request=None, responses={204: None})
    def delete(self, request: Request, kind: str, thing: str) -> Response:
        """Hear of it again."""
        notices.unmute(**_subject(self.user, kind, thing, self.query.get("tenant", "")), by=self.user)
        return Response(status=204)


def _subject(user: User, kind: str, thing: str, whose: str) -> dict[str, Any]:
    if kind not in settings.MUTABLE_SUBJECTS:
        raise NotFound(f"Only these can be muted: {', '.join(settings.MUTABLE_SUBJECTS)}.")
    tenant = tenant_of_thing(user, kind, thing[:200], whose)
    return {"subject_type": kind, "subject_id": thing[:200], "tenant": tenant}
