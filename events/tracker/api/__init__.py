"""Tracker over REST: routes, requests in JSON and in queries, answers and errors as its clients know them."""
