"""What is recorded of services: Tracker's faces, and which tickets a received event names."""

from __future__ import annotations

import datetime as dt

from config import env

# Which tickets a text names: takes a tenant's number and texts; empty: none (events/cdevents/mentions.py).
TICKET_MENTIONS = "tickets.selectors.find_mentions"

# Tracker
TRACKER_STATUS_NUMBERS = env.text("TRACKER_STATUS_NUMBERS")
TRACKER_ANONYMOUS_TENANT = env.text("TRACKER_ANONYMOUS_TENANT")
TRACKER_ANONYMOUS_RIGHTS = env.items("TRACKER_ANONYMOUS_RIGHTS")
TRACKER_AUTO_LOCK = env.text("TRACKER_AUTO_LOCK")
TRACKER_LOCK_LIFETIME = dt.timedelta(hours=float(env.text("TRACKER_LOCK_HOURS")))
TRACKER_RETENTION = dt.timedelta(days=float(env.text("TRACKER_RETENTION_DAYS")))

# What was received as CDEvents and by webhooks
RECEIVED_RETENTION = dt.timedelta(days=float(env.text("RECEIVED_RETENTION_DAYS")))
DEAD_LETTER_RETENTION = dt.timedelta(days=float(env.text("DEAD_LETTER_RETENTION_DAYS")))

# Marks of what we wrote to Jira and GitHub
OUTSIDE_MARK_RETENTION = dt.timedelta(days=float(env.text("OUTSIDE_MARK_RETENTION_DAYS")))
