"""Jira and GitHub: connections to them, the calls they take, and what is told there."""
