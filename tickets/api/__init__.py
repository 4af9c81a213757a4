"""REST of tickets, their work and their events; see urls.py for the addresses."""
