"""REST about CDEvents: receive, read back, pull ours, dead letters, and a dry run of webhooks."""
