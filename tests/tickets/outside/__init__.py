"""Tickets and the systems they go along with."""
