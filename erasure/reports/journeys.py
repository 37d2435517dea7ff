"""Reads how long requests and cases wait in each stage, and how long those that are over waited.

A journey begins when a stage is reached. It ends with a night, or without one. No sealed field is decrypted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import models
from django.db.models import Min, Q
from django.utils.translation import gettext_lazy as _

from erasure.runs.models import Run
from patients.cases.models import OVER_STAGES, Case
from patients.consent.models import ConsentText
from patients.requests.models import AppointmentRequest

DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=3 * 366)


class Stage(models.TextChoices):
    """What a request or a case has reached. There it waits for the next one, or for its night."""

    REQUEST = "request", _("the request waits for an answer")
    INVITED = "invited", _("invited, without a file")
    CASE = "case", _("the file is open, the map is not locked")
    MAP_LOCKED = "map-locked", _("the map is locked, not signed for")
    SIGNED = "signed", _("signed, without a night")


@dataclass(frozen=True)
class Journey:
    """What became of a request or a case after it reached a stage. It is over.

    days_to_night: days from the stage to the night; None if none was finished. days_to_end: days to its end.
    """

    days_to_night: float | None
    days_to_end: float


@dataclass(frozen=True)
class _History:
    """When a request or a case reached its stages, and when it ended.

    reached_at: by stage; None if the stage was not reached. night_at: None if there was no finished night.
    ended_at: None if it is not over.
    """

    reached_at: Mapping[Stage, datetime | None]
    night_at: datetime | None
    ended_at: datetime | None


def _case_histories(since: datetime) -> list[tuple[UUID, _History]]:
    """Return the patient and the history of each case opened since then, first opened first. One query."""
    finished = Q(procedures__run__outcome__in=[Run.Outcome.COMPLETE, Run.Outcome.PARTIAL])
    signed = Q(signatures__text__kind=ConsentText.Kind.PROCEDURE)
    rows = (
        Case.objects.filter(opened_at__gte=since)
        .annotate(
            locked_at=Min("maps__locked_at"),
            signed_at=Min("signatures__signed_at", filter=signed),
            night_at=Min("procedures__run__started_at", filter=finished),
        )
        .order_by("opened_at")
        .values_list("patient", "stage", "opened_at", "closed_at", "locked_at", "signed_at", "night_at")
    )
    return [
        (
            patient,
            _History(
                {Stage.CASE: opened_at, Stage.MAP_LOCKED: locked_at, Stage.SIGNED: signed_at},
                night_at,
                night_at or (closed_at if stage in OVER_STAGES else None),
            ),
        )
        for patient, stage, opened_at, closed_at, locked_at, signed_at, night_at in rows
    ]


def _journeys(history: _History) -> Iterable[tuple[Stage, Journey]]:
    """Yield a journey from each stage that was reached; none if the history is not over."""
    night, end = history.night_at, history.ended_at
    for stage, start in history.reached_at.items():
        # An end before the start: the rows contradict each other, so they are left out.
        if start is not None and end is not None and start <= end:
            yield stage, Journey((night - start) / DAY if night else None, (end - start) / DAY)


def ended_journeys(now: datetime) -> dict[str, list[Journey]]:
    """Return by stage the journeys of what began in the last three years and is over. Takes two queries."""
    found: dict[str, list[Journey]] = {stage: [] for stage in Stage}
    by_patient: dict[UUID, list[_History]] = {}
    cases = _case_histories(now - LOOK_BACK)
    for patient, history in cases:
        by_patient.setdefault(patient, []).append(history)
    for history in [*(history for _patient, history in cases), *_request_histories(by_patient, now)]:
        for stage, journey in _journeys(history):
            found[stage].append(journey)
    return found


def _request_histories(by_patient: dict[UUID, list[_History]], now: datetime) -> Iterable[_History]:
    """Yield the history of each decided request. It goes on with the case that the request led to.

    by_patient: the histories of each patient's cases, first opened first.
    """
    decided = AppointmentRequest.objects.decided().filter(created_at__gte=now - LOOK_BACK)
    rows = decided.values_list(
        *("state", "created_at", "decided_at"),
        *("invitation__used_by", "invitation__used_at", "invitation__expires_at"),
    )
    for state, created_at, decided_at, person, used_at, expires_at in rows:
        if state == AppointmentRequest.State.DECLINED:
            yield _History({Stage.REQUEST: created_at}, None, decided_at)
            continue
        reached_at = {Stage.REQUEST: created_at, Stage.INVITED: decided_at}
        if used_at is None:
            expired_at = expires_at if expires_at is not None and expires_at < now else None
            yield _History(reached_at, None, expired_at)
            continue
        # The case is opened in the moment in which the invitation is used. The day is tolerance.
        later = [one for one in by_patient.get(person, []) if _opened_at(one) >= used_at - DAY]
        if later:
            yield _History(reached_at, later[0].night_at, later[0].ended_at)


def _opened_at(history: _History) -> datetime:
    opened_at = history.reached_at[Stage.CASE]
    if opened_at is None:
        raise ValueError("every case was opened at some time")
    return opened_at


def waiting_days(now: datetime) -> dict[str, list[float]]:
    """Return by stage, for each request and case that waits in it now, how many days. Takes three queries."""
    requests = AppointmentRequest.objects.waiting().values_list("created_at", flat=True)
    invited = AppointmentRequest.objects.filter(
        state=AppointmentRequest.State.ACCEPTED,
        invitation__used_at__isnull=True,
        invitation__expires_at__gte=now,
    ).values_list("decided_at", flat=True)
    waited = {
        Stage.REQUEST.value: [(now - at) / DAY for at in requests],
        Stage.INVITED.value: [(now - at) / DAY for at in invited if at],
        **{stage.value: [] for stage in (Stage.CASE, Stage.MAP_LOCKED, Stage.SIGNED)},
    }
    in_force = Q(
        signatures__text__kind=ConsentText.Kind.PROCEDURE,
        signatures__withdrawn_at=None,
        signatures__superseded_at=None,
    )
    stages = [
        *(Case.Stage.INTAKE, Case.Stage.BRINGING, Case.Stage.REVIEW),
        *(Case.Stage.MAPPED, Case.Stage.CONSENTED),
    ]
    rows = (
        Case.objects.filter(stage__in=stages)
        .annotate(
            locked_at=Min("maps__locked_at", filter=Q(maps__unlocked_at=None)),
            signed_at=Min("signatures__signed_at", filter=in_force),
        )
        .values_list("stage", "opened_at", "locked_at", "signed_at")
    )
    for stage, opened_at, locked_at, signed_at in rows:
        if stage == Case.Stage.CONSENTED and signed_at:
            waited[Stage.SIGNED].append((now - signed_at) / DAY)
        elif stage in {Case.Stage.MAPPED, Case.Stage.CONSENTED} and locked_at:
            waited[Stage.MAP_LOCKED].append((now - locked_at) / DAY)
        else:
            waited[Stage.CASE].append((now - opened_at) / DAY)
    return waited
