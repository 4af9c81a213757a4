"""Tickets over the Model Context Protocol: the same verbs, rules and codes as REST, as tools, resources and prompts."""
