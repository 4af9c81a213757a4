"""The git audit trail: one file per request, one commit per step, written from the fact log."""
