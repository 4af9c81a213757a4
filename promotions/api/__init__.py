"""REST of promotion requests, in the shape of their specification; see urls.py for the addresses."""
