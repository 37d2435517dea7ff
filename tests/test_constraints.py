"""Unique constraints never apply to two NULLs, so each nullable column in one needs a reason."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field, Model, UniqueConstraint

APPS = ("clinic", "patients", "erasure")
# By constraint and nullable column: why the constraint need not apply to rows with a NULL.
REASONS = {
    ("resource_person_once", "user"): "rooms and kits have no user; their label is unique",
    ("one_consent_in_force", "map"): "NULL for a storage consent: see one_storage_consent_in_force",
    ("damage_found_once", "step"): "NULL unless the trouble is damage: see one_open_trouble_of_a_kind",
    ("damage_found_once", "keepsake"): "NULL for unreadable texts of others; written under the run's lock",
    ("desk_task_open_once", "appointment"): "NULL after a night, which closes its case once",
    ("memory_number_once", "number"): "NULL until the map is locked",
    ("waits_once_for_template", "template"): "an entry of this kind has one (waitlist_entry_says_for_what)",
    ("waits_once_for_earlier", "appointment"): "an entry of this kind has one, too",
}


def nullable_columns(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Each nullable column that a unique constraint of `model` compares, with the constraint's name."""
    named = [(one.name, one.fields) for one in model._meta.constraints if isinstance(one, UniqueConstraint)]
    named += [("unique_together", fields) for fields in model._meta.unique_together]
    for name, columns in named:
        for column in columns:
            field = model._meta.get_field(column)
            assert isinstance(field, Field)
            if field.null:
                yield name, column


def test_every_nullable_column_of_a_unique_constraint_has_a_reason() -> None:
    models = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    assert len(models) > 30
    assert {found for model in models for found in nullable_columns(model)} == set(REASONS)
