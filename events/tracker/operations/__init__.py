"""What Tracker's interface offers, one function per method: a request in plain fields in, an answer in plain fields out.

REST and gRPC are two ways to call the same functions; see `table.py` for how they are listed.
"""
