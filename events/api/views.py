"""REST: CDEvents in, read back, pulled; links; dead letters; a dry run of webhooks."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiToken
from accounts.rest import ApiView
from core.problems import problem_response
from events.api import answers, forms
from events.cdevents import selectors
from events.cdevents.cloudevents import BARE, CONTENT_TYPES, read_message
from events.cdevents.receiving import ACCEPTED, DUPLICATE, Incoming, Outcome, receive
from events.cdevents.replay import discard_letter, find_letter, replay_letter
from events.cdevents.webhooks.deliveries import rehearse
from events.models import DeadLetter

READ, WRITE = "events:read", "events:write"
ADDRESS = "/v1/cdevents"


class CDEventsView(ApiView):
    """What these views have in common."""

    tag = "CDEvents"


class ReceiveView(CDEventsView):
    """CDEvents in and read back."""

    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": forms.ReceivedQuery, "POST": forms.IngestQuery}
    parser_classes = [forms.BareParser, forms.StructuredParser, forms.BatchParser]
    changes_per_minute = 0

    @extend_schema(operation_id="list_received_cdevents", responses=answers.ReceivedSchema(many=True))
    def get(self, request: Request) -> Response:
        """Received events, newest first."""
        found = selectors.list_received(user=self.user, query=self.query)
        return Response([answers.render_received(event) for event in found])

    @extend_schema(
        operation_id="receive_cdevents",
        request=dict.fromkeys(CONTENT_TYPES, OpenApiTypes.ANY),
        responses={200: answers.ReceiptsSchema, 201: answers.ReceiptSchema},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Receive CDEvents: CloudEvents in binary, structured or batch mode, CDEvents by themselves, one or a list, links.

        What is valid is stored once per (source, id) and read back unchanged; what is not is kept as a dead letter with
        the reason. One event is answered with 201 when it is new, 200 when it was here before, 400 or 409 when it is
        rejected; a list always with 200 and what became of each.
        """
        tenant = selectors.tenant_to_record_into(
            self.user, self.query.get("tenant") or request.headers.get("X-Tenant", "")
        )
        sent = cast(dict[str, str], request.data)
        kind, content = sent.get("content_type", BARE), sent.get("content", "").encode("latin-1")
        items = read_message(kind, request.headers, content)
        outcomes = receive(items=[Incoming(item) for item in items], tenant=tenant, by=self.user)
        if len(items) == 1 and items[0].whole:
            return _receipt(outcomes[0])
        return Response(_receipts(outcomes))


def _receipts(outcomes: list[Outcome]) -> dict[str, Any]:
    accepted, duplicates = (sum(each.status == status for each in outcomes) for status in (ACCEPTED, DUPLICATE))
    return {
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(outcomes) - accepted - duplicates,
        "items": [answers.render_outcome(outcome) for outcome in outcomes],
    }


def _receipt(outcome: Outcome) -> Response:
    if outcome.refusal is not None:
        if outcome.letter is not None:
            outcome.refusal.details["deadLetter"] = outcome.letter.pk
        return problem_response(outcome.refusal)
    told = answers.render_outcome(outcome)
    if outcome.status == DUPLICATE or outcome.event is None:
        return Response(told, status=200 if outcome.status == DUPLICATE else 201)
    return Response(told, status=201, headers={"Location": f"{ADDRESS}/{outcome.event.pk}"})


class ReceivedView(CDEventsView):
    scopes = READ

    @extend_schema(operation_id="read_received_cdevent", responses=answers.OneReceivedSchema)
    def get(self, request: Request, event: int) -> Response:
        """One received event, and what was received to the letter."""
        found = selectors.find_received(user=self.user, number=event)
        return Response(answers.render_received(found) | {"raw": found.raw, "headers": found.attributes})


class EmittedView(CDEventsView):
    scopes = READ
    queries = {"GET": forms.EmittedQuery}

    @extend_schema(operation_id="pull_cdevents", responses=answers.EmittedSchema)
    def get(self, request: Request) -> Response:
        """Pull what happens here as CDEvents, oldest first, from where you stopped.

        Tickets are shown to tokens with tickets:read, requests and deployments to those with requests:read.
        """
        token = request.auth if isinstance(request.auth, ApiToken) else None
        pulled = selectors.pull_events(user=self.user, token=token, query=self.query)
        return Response({"events": pulled.events, "next": pulled.next, "more": pulled.more})


class LinksView(CDEventsView):
    scopes = READ
    queries = {"GET": forms.LinksQuery}

    @extend_schema(operation_id="list_received_links", responses=answers.LinkSchema(many=True))
    def get(self, request: Request) -> Response:
        """Links that were sent by themselves, newest first; those of a chain with `chainId`."""
        return Response([answers.render_link(link) for link in selectors.list_links(user=self.user, query=self.query)])


class LettersView(CDEventsView):
    scopes = READ
    queries = {"GET": forms.LettersQuery}

    @extend_schema(operation_id="list_dead_letters", responses=answers.LetterSchema(many=True))
    def get(self, request: Request) -> Response:
        """Dead letters, newest first: what was received and could not be accepted. Default: those that wait."""
        found = selectors.list_letters(user=self.user, query=self.query)
        return Response([answers.render_letter(letter) for letter in found])


class OneLetterView(CDEventsView):
    """A view of the dead letter that the address names."""

    scopes = {"GET": READ, "POST": WRITE}

    def letter(self, number: int) -> DeadLetter:
        return find_letter(user=self.user, letter_id=number)


class LetterView(OneLetterView):
    @extend_schema(operation_id="read_dead_letter", responses=answers.LetterSchema)
    def get(self, request: Request, letter: int) -> Response:
        """One dead letter."""
        return Response(answers.render_letter(self.letter(letter)))


class ReplayView(OneLetterView):
    @extend_schema(operation_id="replay_dead_letter", request=forms.NothingForm, responses=answers.LetterSchema)
    def post(self, request: Request, letter: int) -> Response:
        """Receive it again as if it came now; refused as it would be then."""
        found = self.letter(letter)
        self.body(forms.NothingForm)
        settled = replay_letter(letter=found, by=self.user)
        return Response(answers.render_letter(settled))


class DiscardView(OneLetterView):
    @extend_schema(operation_id="discard_dead_letter", request=forms.NothingForm, responses=answers.LetterSchema)
    def post(self, request: Request, letter: int) -> Response:
        """Set it aside for good; it stays on record."""
        found = self.letter(letter)
        self.body(forms.NothingForm)
        return Response(answers.render_letter(discard_letter(letter=found, by=self.user)))


class DryRunView(CDEventsView):
    scopes = READ

    @extend_schema(
        operation_id="rehearse_webhook", request=forms.DryRunForm, responses=answers.RehearsalSchema(many=True)
    )
    def post(self, request: Request) -> Response:
        """What a webhook's payload would become: its events, the tickets they name, their commands. Nothing is stored."""
        form = self.body(forms.DryRunForm)
        tenant = selectors.tenant_to_look_into(self.user, form["tenant"])
        rehearsed = rehearse(kind=form["kind"], event=form["event"], payload=form["payload"], tenant_id=tenant.pk)
        return Response([answers.render_rehearsal(each) for each in rehearsed])
