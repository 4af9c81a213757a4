"""Tickets: what is to be done, the plan it follows, and the workers that do it."""
