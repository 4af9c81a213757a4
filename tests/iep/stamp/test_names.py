"""Ticket numbers as people type them."""

import pytest

from stamp.errors import Usage
from stamp.names import ticket_in_branch, ticket_key


@pytest.mark.parametrize("typed", ["TKT-001", "tkt-001", "tkt001", "TKT 001", " Tkt_001 "])
def test_one_ticket_has_many_spellings(typed):
    assert ticket_key(typed) == "TKT-001"


def test_a_bare_number_needs_the_projects_prefix():
    assert ticket_key("42", prefix="pay") == "PAY-42"
    with pytest.raises(Usage):
        ticket_key("42")


@pytest.mark.parametrize("typed", ["", "TKT", "../TKT-1", "TKT-1/x", "TKT--1", "TKT-1-2", "T&K-1", "TKT-1\n2"])
def test_what_can_be_no_ticket(typed):
    with pytest.raises(Usage):
        ticket_key(typed)


@pytest.mark.parametrize(
    ("branch", "ticket"),
    [
        ("feature/TKT-001-prices", "TKT-001"), ("tkt-7", "TKT-7"), ("fix_PAY-12", "PAY-12"), ("main", ""),
        ("release-notes", ""), ("v1-2", ""),
    ],
)  # fmt: skip
def test_the_ticket_in_a_branchs_name(branch, ticket):
    assert ticket_in_branch(branch) == ticket
