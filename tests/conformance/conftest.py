"""The tickets of the other tests."""

from tests.tickets.conftest import make_ticket, project, ticket

__all__ = ["make_ticket", "project", "ticket"]
