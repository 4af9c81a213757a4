"""The tickets' chapters of the story."""

from tickets.story.over_mcp import work_over_mcp
from tickets.story.plan import follow_a_plan

__all__ = ["follow_a_plan", "work_over_mcp"]
