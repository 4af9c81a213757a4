"""Webhooks out: endpoints of tenants that hear of facts, signed, retried, and switched off when nobody is there."""
