"""Slack: who acts as whom there, clicks and commands that come from there, and the messages that go there."""
