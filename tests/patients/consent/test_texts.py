"""The migrations publish the consent texts of patients/consent/texts.py."""

import importlib
from typing import Any

import pytest
from django.apps import apps

from patients.consent.models import ConsentText
from patients.consent.signing import text_digest
from patients.consent.texts import FIRST_TEXTS

# Digests of version 1, which signatures contain. They never change.
VERSION_1 = {
    ("storage", "en"): "a4e6106007b00758d36db2de88265a5b5c1848eff1f0becc01316de0074eed1d",
    ("storage", "vi"): "6e0416bf94eeca4c45f45a9f98321510f3e63730f6ac6aecd8332c9ad9c792c0",
    ("procedure", "en"): "1ec5c96161bbc5d69d9b4bfe541265e192dde208fe8c47ab4dd3920ba3081922",
    ("procedure", "vi"): "eb740a193ab574bbe9ce7b653dfe355d40d8a73ac17a0d358068e9a08655d04d",
}

# Every migration that publishes a version, in order.
PUBLISHED_BY = ["0002_consent_texts"]


@pytest.fixture
def published(db: None) -> None:
    """Replace all consent texts by those that the migrations publish."""
    ConsentText.objects.all().delete()
    for name in PUBLISHED_BY:
        migration: Any = importlib.import_module(f"patients.migrations.{name}")
        migration.publish(apps, None)


def test_version_1_never_changes(published: None) -> None:
    rows = ConsentText.objects.filter(version=1)
    assert {(row.kind, row.language): row.digest for row in rows} == VERSION_1
    assert all(row.digest == text_digest(row.body) for row in rows)


def test_the_newest_version_is_the_one_in_the_code(published: None) -> None:
    newest = ConsentText.objects.order_by("-version").values_list("version", flat=True)[:1].get()
    rows = ConsentText.objects.filter(version=newest)
    assert {(row.kind, row.language, row.body) for row in rows} == set(FIRST_TEXTS)
