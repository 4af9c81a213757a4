"""Isolated entry points: import maps per ticket, from a saved file to production and back."""
