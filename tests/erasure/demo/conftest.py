"""A demonstration in the tests' own process: its setting, URL, context processor and first audit entry."""

import copy

import pytest
from django.conf import settings as django_settings
from django.db import transaction

from clinic.audit.record import Act, record


@pytest.fixture
def demonstration(db: None, settings: django_settings) -> None:
    """Make this installation the demonstration, on a database of its own.

    tests/erasure/demo/test_absence.py shows that the real settings do the same.
    """
    settings.LACUNA_DEMO = True
    settings.ROOT_URLCONF = "tests.erasure.demo.urls"
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["OPTIONS"]["context_processors"].append("erasure.demo.context.demonstration")
    settings.TEMPLATES = templates
    with transaction.atomic():
        record(Act("demo.loaded", "house:demonstration", actor="system:demo"))
