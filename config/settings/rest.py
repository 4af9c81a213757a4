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
SPECTACULAR_SETTINGS = {
    "TITLE": "Stagepass",
    "DESCRIPTION": (
        "Carry a change from a ticket to production, safely, visibly and fast.\n\n"
        "**Who calls**: send `Authorization: Bearer sp_…` with a token from your profile or `/v1/tokens`; the console's "
        "session works too, with its CSRF token.\n\n"
        '**Strict**: unknown fields and parameters are refused by name, types are exact (`"true"` is not `true`), times '
        "need their offset from UTC and are answered in UTC.\n\n"
        "**Errors** are `application/problem+json`: a stable `code`, a sentence that says what to do, the `field` at "
        "fault. What you may not see is answered like what does not exist.\n\n"
        "**Repeating**: with an `Idempotency-Key` a POST takes effect once and is answered alike each time.\n\n"
        "**Pages**: lists are plain arrays, newest first; the `Link` header leads to the next page."
    ),
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "PREPROCESSING_HOOKS": ["accounts.openapi.without_second_spellings"],
    "ENUM_NAME_OVERRIDES": {
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
        "WorkerStatusEnum": "tickets.api.answers.PRESENCES",
    },
}
