"""The migration that marks the consents of earlier stopped runs as superseded."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from erasure.runs.models import Run
from patients.consent.models import Signature
from tests.erasure.runs.test_another_night import make_stopped
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

spend = import_module("erasure.migrations.0008_stopped_nights_spend_their_consent").spend


def test_only_consents_in_force_of_stopped_runs_are_superseded() -> None:
    stopped, running, withdrawn = make_stopped(1), make_run(1), make_stopped(1)
    Signature.objects.filter(pk=stopped.procedure.consent_id).update(superseded_at=None)
    Signature.objects.filter(pk=withdrawn.procedure.consent_id).update(
        superseded_at=None, withdrawn_at=timezone.now()
    )
    with connection.schema_editor() as editor:
        spend(apps, editor)
    ended = Run.objects.get(pk=stopped.pk).finished_at
    assert Signature.objects.get(pk=stopped.procedure.consent_id).superseded_at == ended
    assert Signature.objects.get(pk=running.procedure.consent_id).superseded_at is None
    assert Signature.objects.get(pk=withdrawn.procedure.consent_id).superseded_at is None
