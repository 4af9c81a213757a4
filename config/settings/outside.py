"""Channels to other systems, each on only where the environment names its address."""

from __future__ import annotations

import datetime as dt
from typing import Any

from config import env

# Kafka, in the words of librdkafka
KAFKA: dict[str, Any] = {
    name: value
    for name, value in {
        "bootstrap.servers": env.text("KAFKA_BOOTSTRAP"),
        "security.protocol": env.text("KAFKA_SECURITY"),
        "sasl.mechanisms": env.text("KAFKA_SASL_MECHANISM"),
        "sasl.username": env.text("KAFKA_USERNAME"),
        "sasl.password": env.text("KAFKA_PASSWORD"),
        "ssl.ca.location": env.text("KAFKA_CA_FILE"),
        "ssl.certificate.location": env.text("KAFKA_CERT_FILE"),
        "ssl.key.location": env.text("KAFKA_KEY_FILE"),
    }.items()
    if value
}
KAFKA_ENVELOPE = env.text("KAFKA_ENVELOPE")
# What each stream of facts is made of; KAFKA_TOPICS says which topic it goes to.
KAFKA_STREAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "requests": {"facts": ("promotion.*", "deployment.*"), "but_not": ("promotion.*reminded", "promotion.*escalated")},
    "tickets": {"facts": ("ticket.*", "worker.*", "project.*")},
    "events": {"facts": ("event.*", "lock.*", "catalog.*", "freeze.*")},
    "import-maps": {"facts": ("application.*", "stamp.*")},
}
KAFKA_TOPICS: dict[str, str] = dict(item.partition("=")[::2] for item in env.items("KAFKA_TOPICS"))


def kafka_channels() -> dict[str, dict[str, Any]]:
    """An ordered channel for each stream that has a topic, so that one topic in trouble holds up no other."""
    if "bootstrap.servers" not in KAFKA:
        return {}
    return {
        f"kafka-{stream}": {
            **patterns,
            "notifier": "events.notifiers.kafka.KafkaNotifier",
            "options": {"topic": KAFKA_TOPICS[stream], "form": KAFKA_ENVELOPE},
            "ordered": True,
            "attempts": None,
            "longest_wait": 30,
        }
        for stream, patterns in KAFKA_STREAMS.items()
        if KAFKA_TOPICS.get(stream)
    }


# Slack
SLACK_TOKEN = env.text("SLACK_TOKEN")
SLACK_SIGNING_SECRETS = env.items("SLACK_SIGNING_SECRETS")
SLACK_CHANNEL = env.text("SLACK_CHANNEL")
SLACK_API = env.text("SLACK_API")
# How the things of an app look there, what their buttons do, and what /stagepass knows.
SLACK_CARDS = {"promotion": "promotions.slack.card"}
SLACK_ACTIONS = {"promotion": "promotions.slack.act"}
SLACK_COMMANDS = {"approvals": "promotions.slack.list_approvals", "ticket": "tickets.slack.show_ticket"}


def slack_channels() -> dict[str, dict[str, Any]]:
    """One worker at a time: Slack takes about a message a second and channel."""
    if not SLACK_TOKEN:
        return {}
    return {
        "slack": {
            "facts": ("*",),
            "but_not": ("notices.*", "delivery.*", "webhook.*"),
            "notifier": "events.notifiers.slack.SlackNotifier",
            "alone": True,
            "attempts": 36,
            "longest_wait": 3600,
        },
        "slack-people": {
            "facts": ("*",),
            "notifier": "events.notifiers.slack_people.SlackPeopleNotifier",
            "alone": True,
            "attempts": 12,
            "longest_wait": 3600,
        },
    }


# Jira and GitHub: how the things of an app are read for those who follow tickets there; connections are in the admin.
MILESTONES = {
    "ticket": "tickets.notifiers.milestones.read",
    "stamp": "iep.notifiers.milestones.read",
    "promotion": "promotions.notifiers.milestones.read",
}
_FOLLOWING = {"alone": True, "lanes": True, "attempts": 20, "longest_wait": 21_600}
JIRA = {
    "facts": (
        "ticket.opened", "ticket.edited", "ticket.commented", "ticket.started", "ticket.re*", "ticket.testing_started",
        "ticket.approval_requested", "ticket.approved", "ticket.declined", "ticket.closed", "ticket.stage_returned",
        "stamp.*", "promotion.*", "deployment.succeeded", "deployment.failed",
    ),
    "but_not": (
        "stamp.updated", "stamp.rebased", "stamp.stale", "promotion.*reminded", "promotion.*escalated",
        "promotion.edited",
    ),
    "notifier": "tickets.notifiers.jira.JiraNotifier",
    **_FOLLOWING,
}  # fmt: skip
GITHUB = {
    "facts": ("stamp.*", "promotion.*", "deployment.started", "deployment.succeeded", "deployment.failed"),
    "but_not": JIRA["but_not"],
    "notifier": "tickets.notifiers.github.GitHubNotifier",
    **_FOLLOWING,
}


# Webhooks out
WEBHOOK_NETWORKS = env.items("WEBHOOK_NETWORKS")
WEBHOOK_PATIENCE = dt.timedelta(hours=float(env.text("WEBHOOK_PATIENCE_HOURS")))


def outside_channels() -> dict[str, dict[str, Any]]:
    """Every channel to other systems that is on; webhooks are wherever an endpoint is."""
    webhooks = {
        "facts": ("*",),
        "but_not": ("notices.*", "delivery.*"),
        "notifier": "events.notifiers.webhooks.WebhookNotifier",
        "alone": True,
        "lanes": True,
        # About two days: five hours of doubling waits, then one attempt every six hours.
        "attempts": 20,
        "longest_wait": 21_600,
    }
    return {"webhooks": webhooks, "jira": JIRA, "github": GITHUB, **slack_channels(), **kafka_channels()}
