"""Webhooks of GitHub, GitLab and Jira: whether to believe them, and what they are as CDEvents."""
