"""Generated documents: complete, and noticed when stale."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from config import documents
from config.env import VARIABLES
from promotions.states import PROMOTION


def test_the_committed_documents_are_fresh():
    call_command("document", check=True)


def test_a_stale_document_is_named_and_writing_it_freshens_it(tmp_path):
    with override_settings(BASE_DIR=tmp_path, DOCUMENTS={"docs/roles.md": "config.documents.roles"}):
        with pytest.raises(CommandError, match=r"docs/roles\.md"):
            call_command("document", check=True)
        assert not (tmp_path / "docs").exists()
        call_command("document")
        call_command("document", check=True)
        (tmp_path / "docs/roles.md").write_text("edited by hand")
        with pytest.raises(CommandError, match="Stale"):
            call_command("document", check=True)


def test_every_edge_is_in_the_diagram_and_in_the_table():
    text = documents.states()
    for edge in PROMOTION:
        assert f"    {edge.source} --> {edge.target}: {edge.verb}\n" in text
        assert f"| {edge.source} | {edge.verb} | {edge.target} | `{edge.fact}` |" in text


def test_the_tables_name_every_variable_and_every_fact():
    assert all(f"| `{variable.name}` |" in documents.configuration() for variable in VARIABLES)
    assert "`promotion.forced`" in documents.facts()
    assert "| `decide_promotion` |  | own tenant | every tenant |  |  |" in documents.roles()
