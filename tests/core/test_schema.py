"""Operations of migrations, and what the migrations cost on an empty database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.db.models.signals import class_prepared

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


@pytest.fixture
def rendered() -> Iterator[list[type[models.Model]]]:
    """Model classes that are made from now on."""
    made: list[type[models.Model]] = []

    def note(sender: type[models.Model], **_: object) -> None:
        made.append(sender)

    class_prepared.connect(note)
    yield made
    class_prepared.disconnect(note)


def test_an_empty_database_takes_few_renderings(db, rendered):
    """Nine tenths of a first start's migrations went there: 6,500 renderings, 2 ms each."""
    executor = MigrationExecutor(connection)
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True):
        assert state.apps
        with connection.schema_editor(collect_sql=True) as editor:
            state = migration.apply(state, editor, collect_sql=True)
    assert 200 < len(rendered) < 1500, "put the operations of a new migration AtOnce, or squash it"
