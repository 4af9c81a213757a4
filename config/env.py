"""Every environment variable the product reads, in one table; docs/configuration.md is generated from it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import environ
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its default as text (None: required in production) and what it is for."""

    name: str
    default: str | None
    help: str
    secret: bool = False


VARIABLES = [
    Variable("SECRET_KEY", None, "Signs sessions and links; at least 50 random characters.", secret=True),
    Variable("SECRET_KEY_FALLBACKS", "", "Earlier keys that are still accepted, separated by commas.", secret=True),
    Variable("ALLOWED_HOSTS", "", "Host names the site answers to, separated by commas."),
    Variable("STAGEPASS_URL", "http://localhost:8080", "The address people and links use."),
    Variable("STAGEPASS_STATE", "var", "Folder for the audit repository, local environments and logs."),
    Variable("DATABASE_URL", None, "PostgreSQL, such as postgres://user:password@host:5432/stagepass."),
    Variable("BROKER_URL", None, "Redis or Valkey for Celery, such as redis://host:6379/0."),
    Variable("CACHE_URL", None, "Redis or Valkey for the cache, such as redis://host:6379/1."),
    Variable("EMAIL_URL", "consolemail://", "Outgoing mail, such as smtp+tls://user:password@host:587."),
    Variable("EMAIL_FROM", "Stagepass <stagepass@localhost>", "Sender of all mail."),
    Variable("GIT_REMOTE", "", "Where the audit repository is pushed to; empty: nowhere."),
    Variable("GIT_AUTHOR_DOMAIN", "users.noreply.stagepass.invalid", "Domain of the no-reply addresses in commits."),
    Variable("GIT_SIGNING_KEY", "", "Path of an SSH private key that signs audit commits; empty: unsigned."),
    Variable("AWX_URL", "", "Base address of AWX, such as https://awx.example.com; empty: no AWX."),
    Variable("AWX_API_PATH", "/api/v2/", "Path of AWX's API; /api/controller/v2/ behind the platform gateway."),
    Variable("AWX_TOKEN", "", "Token of AWX with the right to launch the templates.", secret=True),
    Variable("AWX_CA_FILE", "", "Certificate authority for AWX's address; empty: the system's."),
    Variable("AWX_WEBHOOK_SECRETS", "", "Values accepted in X-Stagepass-Secret of AWX callbacks, by commas.", True),
    Variable("OPS_EMAILS", "", "Who else hears of failed deployments, separated by commas."),
    Variable("KAFKA_BOOTSTRAP", "", "Kafka brokers, such as k1:9092,k2:9092; empty: no Kafka."),
    Variable(
        "KAFKA_TOPICS",
        "requests=promotion-requests,tickets=tickets,events=events,import-maps=import-maps",
        "Which stream of facts goes to which topic; a stream that is not named is not sent.",
    ),
    Variable("SLACK_TOKEN", "", "Bot token of the Slack app; empty: no Slack.", secret=True),
    Variable("SLACK_SIGNING_SECRETS", "", "Its signing secret; several by commas while it changes.", secret=True),
    Variable("SLACK_CHANNEL", "", "The channel that hears of every tenant's requests; empty: subscriptions only."),
    Variable("SLACK_API", "https://slack.com/api/", "The address of Slack's API."),
    Variable("KAFKA_ENVELOPE", "plain", "What messages look like: plain or cloudevents."),
    Variable("KAFKA_SECURITY", "", "plaintext, ssl, sasl_ssl or sasl_plaintext; empty: plaintext."),
    Variable("KAFKA_SASL_MECHANISM", "", "Such as SCRAM-SHA-256 or PLAIN."),
    Variable("KAFKA_USERNAME", "", "The account for SASL."),
    Variable("KAFKA_PASSWORD", "", "Its password.", secret=True),
    Variable("KAFKA_CA_FILE", "", "Certificate authority of the brokers; empty: the system's."),
    Variable("KAFKA_CERT_FILE", "", "Our certificate, where the brokers ask for one."),
    Variable("KAFKA_KEY_FILE", "", "Its private key."),
    Variable(
        "WEBHOOK_NETWORKS", "", "Private networks that webhooks may go to, such as 10.1.0.0/16; also allows http."
    ),
    Variable("WEBHOOK_PATIENCE_HOURS", "72", "How long an endpoint may fail before it is switched off."),
    Variable("PROMOTION_LIFETIME_DAYS", "30", "Days after which an undecided request expires."),
    Variable("PROMOTION_REMINDER_HOURS", "4,24,72", "Hours before each reminder to approvers, then it escalates."),
    Variable("BREAK_GLASS_REVIEW_HOURS", "24", "Hours within which someone else reviews what was deployed unapproved."),
    Variable(
        "BREAK_GLASS_REMINDER_HOURS", "4,24", "Hours between the reminders of an overdue review; it then escalates."
    ),
    Variable("LIVE_STREAMS", "1000", "Event streams that one web process holds open at most."),
    Variable("LIVE_STREAMS_PER_PERSON", "20", "Of these, how many one person may have."),
    Variable("LIVE_RECHECK_SECONDS", "30", "How often an open stream's log-in and rights are looked at again."),
    Variable("BLOBS_BACKEND", "iep.storage.BlobFolder", "Django storage of applications' files."),
    Variable("BLOBS_OPTIONS", "", "Its options as a JSON object; empty: the folder blobs of the state.", secret=True),
    Variable("IEP_SANITY_COMMANDS", "", 'Commands that applications may ask for, as JSON: {"lint": ["/opt/lint"]}.'),
    Variable(
        "IEP_PREVIEW_HOST", "", "Host below which every preview has its own, such as preview.example.com; empty: none."
    ),
    Variable("IEP_STALE_DAYS", "7", "Days in dev or QA without a change after which people are reminded; 0: never."),
    Variable("TRACKER_STATUS_NUMBERS", "guide", "Whose numbers a status sent as a number means: guide or wire."),
    Variable("TRACKER_ANONYMOUS_TENANT", "", "The tenant that callers without a token see; empty: none."),
    Variable("TRACKER_ANONYMOUS_RIGHTS", "", "What they may do there: read, or read,write; empty: nothing."),
    Variable("TRACKER_AUTO_LOCK", "observe", "Locks of starting deployments: off, observe, or enforce (refuse)."),
    Variable("TRACKER_LOCK_HOURS", "24", "Hours after which such a lock lapses; 0: never."),
    Variable("TRACKER_RETENTION_DAYS", "0", "Days after which events are deleted; 0: never."),
    Variable(
        "RECEIVED_RETENTION_DAYS", "0", "Days after which received CDEvents and deliveries are deleted; 0: never."
    ),
    Variable("DEAD_LETTER_RETENTION_DAYS", "0", "Days after which dead letters are deleted, settled or not; 0: never."),
    Variable(
        "OUTSIDE_MARK_RETENTION_DAYS",
        "365",
        "Days after which it is forgotten what we wrote to Jira and GitHub, if it was not touched since; 0: never.",
    ),
    Variable("SSO_GITHUB_CLIENT_ID", "", "Switches on logging in by GitHub."),
    Variable("SSO_GITHUB_SECRET", "", "Its secret.", secret=True),
    Variable("SSO_ATLASSIAN_CLIENT_ID", "", "Switches on logging in by Atlassian."),
    Variable("SSO_ATLASSIAN_SECRET", "", "Its secret.", secret=True),
    Variable("SSO_OIDC_SERVER", "", "Switches on logging in by OpenID Connect: the issuer's address."),
    Variable("SSO_OIDC_NAME", "Single sign-on", "Its label on the log-in page."),
    Variable("SSO_OIDC_CLIENT_ID", "", "Its client id."),
    Variable("SSO_OIDC_SECRET", "", "Its secret.", secret=True),
    Variable("MFA", "on", "Whether people may add a second factor: on or off."),
    Variable("LOG_FORMAT", "json", "Log lines as json or console."),
    Variable("LOG_LEVEL", "INFO", "Least level that is logged."),
    Variable("METRICS_TOKEN", "", "What /metrics asks for as a bearer token; empty: closed, in the demo open.", True),
    Variable("STAGEPASS_GRPC", "localhost:8765", "The gRPC address that is told to people."),
    Variable("STAGEPASS_DEMO_JIRA", "", "Address of a played Jira that the demo connects to; empty: none."),
    Variable("FAILPOINT", "", "For tests: kill the process at a named place."),
    Variable("FAILPOINTS", "", "For tests: a folder whose files name places that kill whoever gets there first, once."),
]

_BY_NAME = {variable.name: variable for variable in VARIABLES}
reader = environ.Env()


def text(name: str) -> str:
    """The variable's value or default; ImproperlyConfigured when a required one is missing."""
    variable = _BY_NAME[name]
    if variable.default is None:
        if not os.environ.get(name):
            raise ImproperlyConfigured(f"Set {name} in the environment. {variable.help}")
        return os.environ[name]
    return os.environ.get(name) or variable.default


def items(name: str) -> list[str]:
    """A comma-separated variable as a list without blanks."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def switch(name: str) -> bool:
    """Whether the variable says on, yes, true or 1."""
    return text(name).lower() in {"1", "on", "yes", "true"}
