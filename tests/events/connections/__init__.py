"""Tests of connections to Jira and GitHub."""
