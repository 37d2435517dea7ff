"""Unique constraints and NULL: databases take any two NULLs for different."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field, Model, UniqueConstraint

ROOMS = ("clinic", "patients", "erasure")
# Constraints that leave rows with a NULL alone, and why that is right.
LEFT_ALONE = {
    ("resource_person_once", "user"): "a room and a kit are nobody's; their label is unique",
    ("one_consent_in_force", "map"): "NULL for a storage consent: one_storage_consent_in_force has those",
    ("damage_found_once", "step"): "other trouble than damage has none: one_open_trouble_of_a_kind has it",
    ("damage_found_once", "keepsake"): "words of others that cannot be read; written under the run's lock",
    ("memory_number_once", "number"): "memories have no number until their map is locked",
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
    models = [model for room in ROOMS for model in apps.get_app_config(room).get_models()]
    assert len(models) > 30
    assert {found for model in models for found in nullable_columns(model)} == set(LEFT_ALONE)
