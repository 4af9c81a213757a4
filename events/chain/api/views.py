"""The REST views of the chain, environments, freezes and measures: parse, one call, present."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Tenant
from accounts.rest import ApiView, created
from core.errors import InvalidInput
from events.chain import freezes
from events.chain.api import answers, forms
from events.chain.clearance import may_deploy
from events.chain.kinds import NodeKind
from events.chain.queries import (
    cargo_of,
    chain_of,
    environments_of,
    find_chain_nodes,
    find_nodes,
    running_in,
)
from events.chain.sight import tenant_meant
from events.chain.suspects import suspects_of
from events.chain.walking import Direction
from events.measures.figures import grouped, measure
from events.measures.periods import scope_of
from events.measures.runs import finished_runs
from events.models import ChainNode

READ, WRITE = "events:read", "events:write"


class ChainApiView(ApiView):
    """What these views have in common."""

    tag = "The chain"
    scopes: ClassVar[str | dict[str, str]] = READ

    @property
    def tenant(self) -> Tenant:
        return tenant_meant(self.user, self.query.get("tenant", ""))


class ChainView(ChainApiView):
    queries = {"GET": forms.ChainQuery}

    @extend_schema(operation_id="get_chain", responses={200: answers.ChainShape})
    def get(self, request: Request) -> Response:
        """The chain of one thing: all that it came of and all that came of it."""
        query, tenant = self.query, self.tenant
        given = [name for name in (*forms.STARTS, "chain_id") if query[str(name)]]
        if len(given) != 1:
            names = ", ".join(str(name) for name in (*forms.STARTS, "chain_id"))
            raise InvalidInput({"ticket": [f"Say where the chain begins, by exactly one of {names}."]})
        key = query[str(given[0])]
        if given[0] == "chain_id":
            nodes = find_chain_nodes(self.user, tenant, key)
        else:
            nodes = find_nodes(self.user, tenant, NodeKind(given[0]), key)
        chain = chain_of(
            self.user, tenant, nodes, direction=Direction(query["direction"]), depth=query["depth"], most=query["limit"]
        )
        return Response(answers.render_chain(tenant.slug, chain))


class CargoView(ChainApiView):
    queries = {"GET": forms.DeploymentQuery}

    @extend_schema(operation_id="get_tickets_of_deployment", responses={200: answers.CargoShape})
    def get(self, request: Request) -> Response:
        """The tickets, changes and commits that came with a deployment since the last good one."""
        tenant = self.tenant
        node = self.one(tenant, NodeKind.DEPLOYMENT, self.query["deployment"])
        return Response(answers.render_cargo(cargo_of(self.user, tenant, node)))

    def one(self, tenant: Tenant, kind: NodeKind, key: str) -> ChainNode:
        return find_nodes(self.user, tenant, kind, key)[0]


class SuspectsView(ChainApiView):
    queries = {"GET": forms.IncidentQuery}

    @extend_schema(operation_id="get_suspects_of_incident", responses={200: answers.SuspectsShape})
    def get(self, request: Request) -> Response:
        """What changed before an incident, the likeliest cause first, each with its reasons."""
        tenant = self.tenant
        incident = find_nodes(self.user, tenant, NodeKind.INCIDENT, self.query["incident"])[0]
        window = dt.timedelta(hours=self.query["hours"])
        return Response(answers.render_suspects(incident, suspects_of(self.user, tenant, incident, window=window)))


class EnvironmentsView(ChainApiView):
    tag = "Environments"
    queries = {"GET": forms.TenantQuery}

    @extend_schema(operation_id="list_environments", responses={200: answers.EnvironmentShape(many=True)})
    def get(self, request: Request) -> Response:
        """The environments of the tenant, and how many services each runs."""
        found = environments_of(self.user, self.tenant)
        return Response([{"name": name, "services": services} for name, services in found])


class RunningView(ChainApiView):
    tag = "Environments"
    queries = {"GET": forms.RunningQuery}

    @extend_schema(operation_id="list_running_services", responses={200: answers.RunningShape(many=True)})
    def get(self, request: Request) -> Response:
        """What an environment runs now: the newest good deployment of each service."""
        running = running_in(self.user, self.tenant, self.query["environment"])
        return Response([answers.render_running(one) for one in running])


class ClearanceView(ChainApiView):
    tag = "Environments"
    queries = {"GET": forms.ClearanceQuery}

    @extend_schema(operation_id="get_clearance", responses={200: answers.ClearanceShape})
    def get(self, request: Request) -> Response:
        """May this service be deployed to that environment now, and if not, why not.

        Always 200: read `allowed`. Locks, freezes, open incidents of the service and approvals are asked.
        """
        query = self.query
        empty = [name for name in ("service", "environment") if not query[name].strip()]
        if empty:
            raise InvalidInput({name: ["Name what is to be deployed, and where."] for name in empty})
        clearance = may_deploy(
            self.user, self.tenant, query["service"].strip(), query["environment"], query["version"].strip()
        )
        return Response(answers.render_clearance(clearance))


class FreezesView(ChainApiView):
    tag = "Environments"
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": forms.FreezesQuery}

    @extend_schema(operation_id="list_freezes", responses={200: answers.FreezeShape(many=True)})
    def get(self, request: Request) -> Response:
        """The freezes in force or to come, newest first."""
        return Response(
            [answers.render_freeze(one) for one in freezes.list_freezes(self.user, over=self.query["over"])]
        )

    @extend_schema(operation_id="declare_freeze", request=forms.FreezeForm, responses={201: answers.FreezeShape})
    def post(self, request: Request) -> Response:
        """Let nothing be deployed for a while; clearance is then refused with the reason."""
        form = self.body(forms.FreezeForm)
        freeze = freezes.declare_freeze(
            tenant=tenant_meant(self.user, form["tenant"]), reason=form["reason"], starts_at=form["startsAt"],
            ends_at=form["endsAt"], service=form["service"], environment=form["environment"], by=self.user,
        )  # fmt: skip
        return created(answers.render_freeze(freeze), f"/v1/freezes/{freeze.pk}")


class FreezeView(ChainApiView):
    tag = "Environments"
    scopes = {"GET": READ, "DELETE": WRITE}

    @extend_schema(operation_id="get_freeze", responses={200: answers.FreezeShape})
    def get(self, request: Request, freeze: int) -> Response:
        """One freeze."""
        return Response(answers.render_freeze(freezes.find_freeze(self.user, freeze)))

    @extend_schema(operation_id="lift_freeze", responses={200: answers.FreezeShape})
    def delete(self, request: Request, freeze: int) -> Response:
        """End a freeze now; it stays on record."""
        lifted = freezes.lift_freeze(freeze=freezes.find_freeze(self.user, freeze), by=self.user)
        return Response(answers.render_freeze(lifted))


class MeasuresView(ChainApiView):
    tag = "Measures"
    queries = {"GET": forms.MeasuresQuery}

    @extend_schema(operation_id="get_measures", responses={200: answers.AllMeasures})
    def get(self, request: Request) -> Response:
        """Deployment frequency, lead time, change failure rate and time to restore; null means no data."""
        query = self.query
        scope = scope_of(
            query["since"], query["until"], tenant=query["tenant"], service=query["service"],
            environment=query["environment"],
        )  # fmt: skip
        runs = finished_runs(self.user, scope)
        groups = grouped(runs, query["by"]) if query["by"] else {}
        parts = {name: measure(some, scope) for name, some in sorted(groups.items())}
        return Response(answers.render_all_measures(measure(runs, scope), parts))
