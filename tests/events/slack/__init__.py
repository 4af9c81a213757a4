"""Tests of Slack: messages, clicks, commands."""
