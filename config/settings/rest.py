"""How the REST faces parse, answer and are described."""

from __future__ import annotations

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "accounts.authentication.BrowserSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.rest.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.rest.AlwaysFirst",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "accounts.openapi.ApiSchema",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "core.problems.handle_exception",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
API_CHANGES_PER_MINUTE = 600
SPECTACULAR_SETTINGS = {
    "TITLE": "Stagepass",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "PREPROCESSING_HOOKS": ["accounts.openapi.without_second_spellings"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "events.tracker.api.description.with_tracker",
        "accounts.openapi.with_introduction",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CDEventModeEnum": "events.models.received.Mode",
        "CapabilityEnum": "accounts.openapi.CAPABILITIES",
        "PromotionStateEnum": "promotions.states.State",
        "DeploymentStateEnum": "promotions.states.DeploymentState",
        "TargetTypeEnum": "promotions.types.TargetType",
        "ImpactEnum": "promotions.types.Impact",
        "TicketStateEnum": "tickets.states.State",
        "StageTaskStateEnum": "tickets.states.TaskState",
        "TicketTypeEnum": "tickets.types.TicketType",
        "TicketPriorityEnum": "tickets.api.answers.PRIORITIES",
        "TicketStatusEnum": "tickets.api.answers.STATUSES",
        "TicketResolutionEnum": "tickets.api.answers.RESOLUTIONS",
        "TicketLinkKindEnum": "tickets.types.LinkKind",
        "TicketCommentKindEnum": "tickets.types.CommentKind",
        "ChainThingKindEnum": "events.chain.kinds.NodeKind",
        "ChainWayKindEnum": "events.chain.kinds.EdgeKind",
        "ClearanceEnum": "events.chain.api.answers.ANSWERS",
        "WorkerStatusEnum": "tickets.api.answers.PRESENCES",
    },
}
