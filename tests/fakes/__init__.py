"""Honest stand-ins for the outside world."""
