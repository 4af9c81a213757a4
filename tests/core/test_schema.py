"""Operations of migrations, and what the migrations cost on an empty database."""

from __future__ import annotations

import pytest
from django.db import connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ModelState, ProjectState

from core.schema import AtOnce


def _table(name: str, **fields: models.Field) -> migrations.CreateModel:
    return migrations.CreateModel(name, [("id", models.BigAutoField(primary_key=True)), *fields.items()])


def _tables() -> set[str]:
    return {name for name in connection.introspection.table_names() if name.startswith("made_")}


def test_what_is_made_at_once_may_refer_to_what_comes_later_and_is_taken_back(transactional_db):
    made = AtOnce([_table("Leaf", tree=models.ForeignKey("made.Tree", models.CASCADE)), _table("Tree")])
    before = ProjectState()
    after = before.clone()
    made.state_forwards("made", after)
    with connection.schema_editor() as editor:
        made.database_forwards("made", editor, before, after)
    assert _tables() == {"made_leaf", "made_tree"}
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "made_leaf").values()
    assert [each["foreign_key"] for each in constraints if each["foreign_key"]] == [("made_tree", "id")]
    with connection.schema_editor() as editor:
        made.database_backwards("made", editor, after, before)
    assert _tables() == set()


def test_an_empty_database_takes_few_renderings(db, monkeypatch: pytest.MonkeyPatch):
    """Nine tenths of a first start's migrations went there: 6,000 renderings, 2 ms each."""
    rendered = []
    render = ModelState.render
    monkeypatch.setattr(ModelState, "render", lambda model, apps: rendered.append(model) or render(model, apps))
    executor = MigrationExecutor(connection)
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True):
        assert state.apps
        with connection.schema_editor(collect_sql=True) as editor:
            state = migration.apply(state, editor, collect_sql=True)
    assert len(rendered) > 200
    assert len(rendered) < 1500, "put the operations of a new migration AtOnce, or squash it"
