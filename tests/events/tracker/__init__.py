"""Tracker: its rules, its wire, its faces."""
