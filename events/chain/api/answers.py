"""What the REST face answers, and how things become it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.canonical import utc_text
from events.chain.clearance import Answer, Clearance
from events.chain.kinds import EdgeKind, NodeKind
from events.chain.queries import Cargo, Running
from events.chain.suspects import Suspect
from events.chain.walking import Chain, Node
from events.measures.figures import Measure, Measures
from events.models import ChainNode, Freeze

Shape = serializers.Serializer[Any]
ANSWERS = [(answer.value, answer.value) for answer in Answer]


class Thing(Shape):
    """A thing on a chain."""

    kind = serializers.ChoiceField(NodeKind.choices)
    key = serializers.CharField(help_text="Names it among its kind.")
    label = serializers.CharField()  # type: ignore[assignment]
    known = serializers.BooleanField(help_text="false: named by others, but nothing was told of it yet.")
    state = serializers.CharField(help_text="Empty when there is none.")
    service = serializers.CharField()
    environment = serializers.CharField()
    version = serializers.CharField()
    url = serializers.CharField()
    at = serializers.DateTimeField(help_text="When it happened or began.")
    endedAt = serializers.DateTimeField(allow_null=True)


class ChainThing(Thing):
    """A thing, and its place in the answer."""

    id = serializers.IntegerField(help_text="For `ways` of this answer only.")
    depth = serializers.IntegerField(help_text="Steps from the start: negative for causes, positive for effects.")
    chainIds = serializers.ListField(child=serializers.CharField())


class WayShape(Shape):
    """From a cause to what came of it."""

    cause = serializers.IntegerField()
    kind = serializers.ChoiceField(EdgeKind.choices)
    effect = serializers.IntegerField()


class ChainShape(Shape):
    """A chain, oldest thing first."""

    tenant = serializers.CharField()
    starts = serializers.ListField(child=serializers.IntegerField())
    things = ChainThing(many=True)
    ways = WayShape(many=True)
    truncated = serializers.BooleanField(help_text="There is more than the depth and limit let through.")


class CargoShape(Shape):
    """What a deployment brought."""

    deployment = Thing()
    since = Thing(allow_null=True, help_text="The last good one of the same service and environment before it.")
    tickets = Thing(many=True)
    changes = Thing(many=True)
    commits = Thing(many=True)


class SuspectShape(Shape):
    """Something that may have caused the incident."""

    score = serializers.IntegerField(help_text="The higher, the likelier.")
    reasons = serializers.ListField(child=serializers.CharField())
    thing = Thing()


class SuspectsShape(Shape):
    """The suspects, the likeliest first."""

    incident = Thing()
    suspects = SuspectShape(many=True)


class EnvironmentShape(Shape):
    """An environment that something was deployed to."""

    name = serializers.CharField()
    services = serializers.IntegerField(help_text="How many it runs.")


class RunningShape(Shape):
    """What an environment runs of a service."""

    service = serializers.CharField()
    environment = serializers.CharField()
    version = serializers.CharField(help_text="Empty when nobody said.")
    since = serializers.DateTimeField()
    deployment = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ObjectionShape(Shape):
    """What stands against a deployment."""

    answer = serializers.ChoiceField(ANSWERS)
    code = serializers.CharField(help_text="locked, frozen, incident_open, no_request, approval_pending, scheduled, …")
    message = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)
    details = serializers.DictField()


class ClearanceShape(Shape):
    """Whether a pipeline may go on."""

    allowed = serializers.BooleanField()
    answer = serializers.ChoiceField(ANSWERS)
    tenant = serializers.CharField()
    service = serializers.CharField()
    environment = serializers.CharField()
    version = serializers.CharField()
    checkedAt = serializers.DateTimeField()
    objections = ObjectionShape(many=True)


class FreezeShape(Shape):
    """A time without deployments."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    service = serializers.CharField(help_text="Empty: every service.")
    environment = serializers.CharField(help_text="Empty: every environment.")
    reason = serializers.CharField()
    startsAt = serializers.DateTimeField()
    endsAt = serializers.DateTimeField()
    declaredBy = serializers.CharField()
    liftedAt = serializers.DateTimeField(allow_null=True)


class MeasureShape(Shape):
    """One measure; `value` null means no data, which is not zero."""

    value = serializers.FloatField(allow_null=True)
    unit = serializers.CharField()
    count = serializers.IntegerField(help_text="From how many deployments, changes or recoveries.")
    series = serializers.ListField(child=serializers.FloatField(allow_null=True))


class MeasuresShape(Shape):
    """The four measures of a scope."""

    deployments = serializers.IntegerField()
    failures = serializers.IntegerField()
    repeats = serializers.IntegerField(help_text="Reports of deployments that another source reported too.")
    deploymentFrequency = MeasureShape()
    leadTime = MeasureShape()
    changeFailureRate = MeasureShape()
    timeToRestore = MeasureShape()


class GroupShape(MeasuresShape):
    """The four measures of one tenant, service or environment."""

    name = serializers.CharField()


class AllMeasures(MeasuresShape):
    """The four measures, and those of each part if asked for."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    stretches = serializers.ListField(
        child=serializers.DateTimeField(),
        help_text="Where the parts of each series begin: days, or weeks of a long period.",
    )
    groups = GroupShape(many=True)


def render_thing(node: Node | ChainNode) -> dict[str, Any]:
    return {
        "kind": node.kind, "key": node.key, "label": node.label or node.key, "known": node.known, "state": node.state,
        "service": node.service, "environment": node.environment, "version": node.version, "url": node.url,
        "at": utc_text(node.at), "endedAt": utc_text(node.ended_at) if node.ended_at else None,
    }  # fmt: skip


def render_chain(tenant: str, chain: Chain) -> dict[str, Any]:
    things = [
        render_thing(node) | {"id": node.id, "depth": node.depth, "chainIds": node.chains} for node in chain.nodes
    ]
    ways = [{"cause": cause, "kind": kind, "effect": effect} for cause, kind, effect in chain.ways]
    return {"tenant": tenant, "starts": chain.starts, "things": things, "ways": ways, "truncated": chain.truncated}


def render_cargo(cargo: Cargo) -> dict[str, Any]:
    return {
        "deployment": render_thing(cargo.deployment),
        "since": render_thing(cargo.since) if cargo.since else None,
        "tickets": [render_thing(node) for node in cargo.tickets],
        "changes": [render_thing(node) for node in cargo.changes],
        "commits": [render_thing(node) for node in cargo.commits],
    }


def render_suspects(incident: ChainNode, suspects: list[Suspect]) -> dict[str, Any]:
    told = [{"score": one.score, "reasons": one.reasons, "thing": render_thing(one.node)} for one in suspects]
    return {"incident": render_thing(incident), "suspects": told}


def render_running(running: Running) -> dict[str, Any]:
    return {
        "service": running.service, "environment": running.environment, "version": running.version,
        "since": utc_text(running.since), "deployment": running.deployment, "label": running.label,
    }  # fmt: skip


def render_clearance(clearance: Clearance) -> dict[str, Any]:
    question = clearance.question
    return {
        "allowed": clearance.answer == Answer.ALLOWED, "answer": clearance.answer.value,
        "tenant": question.tenant.slug, "service": question.service, "environment": question.environment,
        "version": question.version, "checkedAt": utc_text(clearance.at),
        "objections": [
            {
                "answer": one.answer.value, "code": one.code, "message": one.message,
                "until": utc_text(one.until) if one.until else None, "details": one.details,
            }
            for one in clearance.objections
        ],
    }  # fmt: skip


def render_freeze(freeze: Freeze) -> dict[str, Any]:
    return {
        "id": freeze.pk, "tenant": freeze.tenant.slug, "service": freeze.service, "environment": freeze.environment,
        "reason": freeze.reason, "startsAt": utc_text(freeze.starts_at), "endsAt": utc_text(freeze.ends_at),
        "declaredBy": freeze.declared_by.email, "liftedAt": utc_text(freeze.lifted_at) if freeze.lifted_at else None,
    }  # fmt: skip


def _measure(measure: Measure) -> dict[str, Any]:
    return {"value": measure.value, "unit": measure.unit, "count": measure.count, "series": measure.series}


def render_measures(measures: Measures) -> dict[str, Any]:
    return {
        "deployments": measures.deployments, "failures": measures.failures, "repeats": measures.repeats,
        "deploymentFrequency": _measure(measures.frequency), "leadTime": _measure(measures.lead_time),
        "changeFailureRate": _measure(measures.failure_rate), "timeToRestore": _measure(measures.restore_time),
    }  # fmt: skip


def render_all_measures(measures: Measures, groups: dict[str, Measures]) -> dict[str, Any]:
    return render_measures(measures) | {
        "since": utc_text(measures.scope.since), "until": utc_text(measures.scope.until),
        "stretches": [utc_text(moment) for moment in measures.stretches],
        "groups": [{"name": name, **render_measures(group)} for name, group in groups.items()],
    }  # fmt: skip
