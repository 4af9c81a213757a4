from typing import Any

import iep.models
from django.db import migrations, models

BATCH = 2_000


def fold_paths(apps: Any, schema_editor: Any) -> None:
    """Give the modules that are there their folded paths."""
    module = apps.get_model("iep", "Module")
    waiting: list[Any] = []
    for each in module.objects.filter(folded="").only("pk", "path").iterator(chunk_size=BATCH):
        each.folded = each.path.casefold()
        waiting.append(each)
        if len(waiting) == BATCH:
            module.objects.bulk_update(waiting, ["folded"])
            waiting = []
    module.objects.bulk_update(waiting, ["folded"])


class Migration(migrations.Migration):

    dependencies = [("iep", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="module",
            name="folded",
            field=iep.models.FoldedField(default="", editable=False, max_length=1536),
        ),
        migrations.RunPython(fold_paths, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="module",
            constraint=models.UniqueConstraint(fields=("application", "folded"), name="module_without_twin"),
        ),
    ]
