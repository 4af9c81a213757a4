"""`stamp`: bring the modules of a ticket into the live application, and on to production."""

__version__ = "1.0.0"
