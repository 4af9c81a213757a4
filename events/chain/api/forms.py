"""What the REST face takes."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest import MomentField, StrictQuery, StrictSerializer, TextField
from events.chain.kinds import NodeKind
from events.chain.walking import MOST_DEPTH, MOST_NODES, Direction

LONGEST = 2000
TENANT = {"required": False, "default": "", "max_length": 80, "help_text": "Its slug; your own tenant if you have one."}


class WordQuery(TextField):
    """A text parameter that may be left out."""

    def __init__(self, help_text: str, **options: object) -> None:
        super().__init__(
            **({"required": False, "default": "", "max_length": LONGEST, "help_text": help_text} | options)
        )


class TenantQuery(StrictQuery):
    """Which tenant is meant."""

    tenant = TextField(**TENANT)


class ChainQuery(TenantQuery):
    """Where the chain begins: give exactly one of the things; and how far to go."""

    ticket = WordQuery("A ticket's key, such as PAY-142.")
    commit = WordQuery("A commit's hash, or at least its first seven letters.")
    change = WordQuery("The address of a pull or merge request.")
    build = WordQuery("A build, as the chain names it.")
    artifact = WordQuery("A package URL, name@version, or a name for its newest versions.")
    request = WordQuery("A promotion request's number, such as PR-2026-0042.")
    deployment = WordQuery("A deployment's id: deploy-…, a Tracker event's id, or as the chain names it.")
    incident = WordQuery("An incident's id: a Tracker event's, or as the chain names it.")
    import_map = WordQuery("An import map, by application and ticket, such as shop/TKT-001.")
    chain_id = WordQuery("The chainId that CDEvents carry.")
    direction = serializers.ChoiceField([each.value for each in Direction], required=False, default="both")
    depth = serializers.IntegerField(required=False, default=MOST_DEPTH, min_value=0, max_value=MOST_DEPTH)
    limit = serializers.IntegerField(
        required=False,
        default=MOST_NODES,
        min_value=1,
        max_value=MOST_NODES,
        help_text="Things each way, nearest first.",
    )


STARTS = (
    NodeKind.TICKET, NodeKind.COMMIT, NodeKind.CHANGE, NodeKind.BUILD, NodeKind.ARTIFACT, NodeKind.REQUEST,
    NodeKind.DEPLOYMENT, NodeKind.INCIDENT, NodeKind.IMPORT_MAP,
)  # fmt: skip


class DeploymentQuery(TenantQuery):
    """One deployment."""

    deployment = TextField(max_length=LONGEST, help_text="Its id, as the chain names it.")


class IncidentQuery(TenantQuery):
    """One incident, and how long before it to look."""

    incident = TextField(max_length=LONGEST, help_text="Its id, as the chain names it.")
    hours = serializers.IntegerField(required=False, default=72, min_value=1, max_value=24 * 30)


class RunningQuery(TenantQuery):
    """One environment, or all."""

    environment = WordQuery("Such as production; empty: all.", max_length=100)


class ClearanceQuery(TenantQuery):
    """What is to be deployed where."""

    service = TextField(max_length=200)
    environment = TextField(max_length=100)
    version = WordQuery("If given, exactly this version has to be approved.", max_length=200)


class FreezesQuery(StrictQuery):
    """Which freezes."""

    over = serializers.BooleanField(required=False, default=False, help_text="Those that are over as well.")


class FreezeForm(StrictSerializer):
    """A freeze to be."""

    tenant = TextField(**TENANT)
    service = TextField(required=False, default="", max_length=200, help_text="Empty: every service.")
    environment = TextField(required=False, default="", max_length=100, help_text="Empty: every environment.")
    reason = TextField(max_length=500)
    startsAt = MomentField(required=False, default=None, allow_null=True, help_text="Now, if left out.")
    endsAt = MomentField()


class MeasuresQuery(StrictQuery):
    """What is measured: at most 366 days, 30 if nothing is said."""

    tenant = WordQuery("Only this one; all that you may see otherwise.", max_length=80)
    service = WordQuery("Only this one.", max_length=200)
    environment = WordQuery("Only this one.", max_length=100)
    since = extend_schema_field({"type": "string", "format": "date-time"})(MomentField)(required=False, default=None)
    until = extend_schema_field({"type": "string", "format": "date-time"})(MomentField)(required=False, default=None)
    by = serializers.ChoiceField(
        ["tenant", "service", "environment"],
        required=False,
        default=None,
        help_text="Also the measures of each of these.",
    )
