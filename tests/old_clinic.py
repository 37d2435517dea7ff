"""A clinic that has been open for years, inserted at once and without keys, to see which pages grow with it.

The newest 60 files fill the present weeks and are the same in every clinic. All others are older, so a page
shows the same of 60 files as of 100,000, and what it costs more is the fault of its queries. Whoever was
booked for the older ones has left: what somebody reads of the bookings of their own grows with these.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.utils import timezone

from clinic.accounts.models import Role, RoleGrant, User
from clinic.audit.merkle import Frontier
from clinic.audit.models import Entry, TreeHead
from clinic.calendar.models import Booking, Resource
from clinic.outgoing.models import OutgoingMessage
from erasure.certificates.models import Certificate
from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Run, Step
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.memories.models import LockedMap, Memory
from patients.messages.models import MessageThread
from tests.patients.crowd import crowd_of_cases, crowd_of_requests

PRESENT = 60  # files of the present weeks
NIGHT_OF = 3  # one of so many files had a night
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STAGES = ("bringing", "review", "mapped", "intake", "consented")
Status = Appointment.Status


def staff() -> dict[str, list[User]]:
    """The 40 people who work here, by role, each who is booked with a resource; and five rooms."""
    numbers = {"doctor": 10, "technician": 24, "receptionist": 4, "auditor": 1, "administrator": 1}
    found = {role: [_person(role, n) for n in range(number)] for role, number in numbers.items()}
    for n in range(5):
        Resource.objects.create(kind=Resource.Kind.ROOM, label=f"Room {n}")
    return found


def _person(role: str, n: int, *, left: bool = False) -> User:
    """A member of staff. left: who does not work here any more."""
    person = User.objects.create_user(
        f"{role}{n}@lacuna.example", name=f"{role} {n}", roles=(role,), is_active=not left
    )
    if role in {"doctor", "technician"}:
        Resource.objects.create(kind=role, label=person.name, user=person, in_use=not left)
    return person


def fill(
    number: int, people: dict[str, list[User]], *, first: bool = False, words: bool = True
) -> list[Case]:
    """Add so many files with two appointments each, and what belongs to them.

    people: of `staff`. first: the files of the present weeks; all others are older. words: with those by
    which patients and requests are found, which take as long to insert as all else.
    """
    before = Case.objects.count()
    prefix, desk = f"{before}-", people["receptionist"][0]
    team = people
    if not first:
        numbers = range(before, before + max(4, number // 1000))
        team = {role: [_person(role, n, left=True) for n in numbers] for role in ("doctor", "technician")}
    cases = crowd_of_cases(number, prefix, words=words)
    _set_stages(cases, present=first)
    RoleGrant.objects.bulk_create(
        [RoleGrant(user_id=case.patient_id, role=Role.PATIENT) for case in cases], batch_size=500
    )
    template = AppointmentTemplate.objects.get_or_create(
        name="Talk", defaults={"kind": "visit", "minutes": 60}
    )[0]
    appointments = _appointments(cases, team, desk, template, present=first)
    _tasks(appointments, template, present=first)
    _mails(appointments)
    _threads(cases, present=first)
    _nights(cases[::NIGHT_OF], team, present=first)
    _entries(cases, desk, team["doctor"])
    if first:
        crowd_of_requests(2 * number, prefix, apart=HOUR, words=words, waiting=2)
    else:
        crowd_of_requests(
            number, prefix, apart=3600 * DAY / number, newest=100 * DAY, words=words, waiting=number
        )
    return cases


def _insert(model: type[Model], rows: list[Any]) -> None:
    model._default_manager.bulk_create(rows, batch_size=1000)


def _set_stages(cases: list[Case], *, present: bool) -> None:
    """Put the files into stages: of the older ones, one of six waits, and all else is closed."""
    now = timezone.now()
    for n, case in enumerate(cases):
        waits = present or n % 6 == 0
        case.stage = STAGES[(n if present else n // 6) % len(STAGES)] if waits else "closed"
        # The present ones within two weeks, all others within ten years.
        before = 6 * HOUR * n if present else 100 * DAY + n * (3600 * DAY / len(cases))
        case.opened_at = now - before
        case.closed_at = None if waits else case.opened_at + 40 * DAY
    Case.objects.bulk_update(cases, ["stage", "opened_at", "closed_at"], batch_size=200)


def _appointments(
    cases: list[Case], team: dict[str, list[User]], by: User, template: AppointmentTemplate, *, present: bool
) -> list[Appointment]:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    doctors = list(Resource.objects.filter(user__in=team["doctor"]).order_by("label"))
    rooms = list(Resource.objects.filter(kind=Resource.Kind.ROOM).order_by("label"))
    bookings, rows, taken = [], [], []
    for n, case in enumerate(cases):
        for again in (0, 1):
            # Of each present file one is past and one is to come.
            start = (
                now + (6 * HOUR * n - 8 * DAY) + again * 2 * HOUR
                if present
                else (case.opened_at.replace(minute=0, second=0, microsecond=0) + (1 + 6 * again) * DAY)
            )
            booking = Booking(kind="visit", starts_at=start, ends_at=start + HOUR, made_by=by)
            over = start + HOUR < now
            status = (
                (Status.CANCELLED if n % 9 == 0 else Status.NO_SHOW if n % 11 == 0 else Status.COMPLETED)
                if over
                else Status.BOOKED
            )
            if status == Status.CANCELLED:
                booking.canceled_at = start - DAY
            bookings.append(booking)
            rows.append(
                Appointment(
                    case=case,
                    template=template,
                    booking=booking,
                    kind="visit",
                    name="Talk",
                    minutes=60,
                    status=status,
                    made_by=by,
                    booked_at=start - 5 * DAY,
                    doctors=1,
                    cancelled_at=booking.canceled_at,
                    completed_at=start + HOUR if status == Status.COMPLETED else None,
                    missed_at=start + HOUR if status == Status.NO_SHOW else None,
                )
            )
            taken += [(booking, doctors[n % len(doctors)]), (booking, rooms[n % len(rooms)])]
    _insert(Booking, bookings)
    through = Booking.resources.through
    _insert(through, [through(booking_id=booking.pk, resource_id=one.pk) for booking, one in taken])
    _insert(Appointment, rows)
    return rows


def _tasks(appointments: list[Appointment], template: AppointmentTemplate, *, present: bool) -> None:
    """One of three appointments left something to do; only the present ones wait still."""
    now = timezone.now()
    _insert(
        DeskTask,
        [
            DeskTask(
                kind="follow-up",
                case_id=one.case_id,
                appointment=one,
                template=template,
                due=now.date(),
                made_at=one.booking.ends_at,
                answer="" if present else "booked",
                answered_at=None if present else one.booking.ends_at,
            )
            for one in appointments[::3]
        ],
    )


def _mails(appointments: list[Appointment]) -> None:
    """One mail for each appointment: nearly all sent, some failed, some withdrawn, one waits."""

    def status(n: int) -> str:
        return "failed" if n % 100 == 1 else "cancelled" if n % 10 == 2 else "sent"

    _insert(
        OutgoingMessage,
        [
            OutgoingMessage(
                event="appointment-booked",
                about=f"appointment:{one.pk}",
                version=1,
                language="en",
                recipient=f"user:{one.case.patient_id}",
                audience="patient",
                case=one.case_id,
                status=status(n) if n else "queued",
                attempts=1,
                queued_at=one.booked_at,
                next_attempt_at=one.booked_at,
                ended_at=one.booked_at if n else None,
            )
            for n, one in enumerate(appointments)
        ],
    )


def _threads(cases: list[Case], *, present: bool) -> None:
    """A thread of messages for every second file; only some of the present ones wait for an answer."""
    now = timezone.now()
    _insert(
        MessageThread,
        [
            MessageThread(
                case=case,
                last_at=case.opened_at,
                waits_since=case.opened_at if present and n % 3 == 0 else None,
                answer_by=now + (n - 10) * HOUR if present and n % 3 == 0 else None,
            )
            for n, case in enumerate(cases[::2])
        ],
    )


def _nights(cases: list[Case], people: dict[str, list[User]], *, present: bool) -> None:
    """A night for each of these files: over and erased; of the present ones, over and canceled."""
    text = ConsentText.objects.filter(kind=ConsentText.Kind.PROCEDURE).first()
    assert text is not None
    doctor = people["doctor"][0]
    teams = list(
        Resource.objects.filter(user__in=[*people["doctor"], *people["technician"]]).order_by("label")
    )
    booked, calls, certificates = [], [], []
    maps, signatures, bookings, procedures, runs, memories, steps = [], [], [], [], [], [], []
    for case in cases:
        at = case.opened_at + 20 * DAY - (60 * DAY if present else timedelta())
        locked = LockedMap(
            case=case,
            version=1,
            digest="0" * 64,
            body={},
            locked_by=doctor,
            locked_at=at,
            unlocked_at=at if present else None,
        )
        signature = Signature(
            case=case,
            text=text,
            text_digest=text.digest,
            map=locked,
            map_digest=locked.digest,
            signed_by_id=case.patient_id,
            signed_at=at,
            withdrawn_at=at + DAY if present else None,
        )
        booking = Booking(
            kind="erasure",
            starts_at=at + 2 * DAY,
            ends_at=at + 2 * DAY + 8 * HOUR,
            made_by=doctor,
            canceled_at=at + DAY if present else None,
        )
        state = Procedure.State.CANCELED if present else Procedure.State.DONE
        procedure = Procedure(
            case=case,
            map=locked,
            consent=signature,
            booking=booking,
            place="clinic",
            state=state,
            pace_seconds=6,
            booked_by=doctor,
        )
        maps.append(locked), signatures.append(signature), bookings.append(booking)
        procedures.append(procedure)
        booked += [(booking, teams[(len(bookings) * 7 + n) % len(teams)]) for n in (0, 17)]
        if present:
            continue
        run = Run(
            procedure=procedure,
            state="finished",
            outcome="complete",
            expected_steps=2,
            started_at=booking.starts_at,
            finished_at=booking.ends_at,
            presence_minutes=0,
            presence_grace_seconds=0,
            presence_strength=1,
            call_again_seconds=60,
            call_escalate_seconds=60,
        )
        runs.append(run)
        digest = hashlib.sha256(run.pk.bytes).hexdigest()
        calls.append(
            DoctorCall(
                run=run, called_at=run.started_at, acknowledged_at=run.started_at, acknowledged_by=doctor
            )
        )
        certificates.append(Certificate(run=run, body="{}", issued_at=run.finished_at, digest=digest))
        for position in (0, 1):
            memory = Memory(case=case, number=position + 1, fate="erased")
            memories.append(memory)
            steps.append(
                Step(run=run, memory=memory, position=position, state="spared", spared_because="stopped")
            )
    for model, rows in (
        (LockedMap, maps),
        (Signature, signatures),
        (Booking, bookings),
        (Procedure, procedures),
        (Run, runs),
        (Memory, memories),
        (Step, steps),
        (DoctorCall, calls),
        (Certificate, certificates),
    ):
        _insert(model, rows)
    through = Booking.resources.through
    _insert(through, [through(booking_id=booking.pk, resource_id=one.pk) for booking, one in booked])


def _entries(cases: list[Case], desk: User, doctors: list[User]) -> None:
    """Four entries of the log for each file. Their leaves are no real ones: nobody verifies this log."""
    head, _made = TreeHead.objects.get_or_create(pk=1)

    def rows() -> Iterator[Entry]:
        index = head.size
        for n, case in enumerate(reversed(cases)):
            acts = (
                ("appointment.booked", f"user:{desk.pk}", {}),
                ("file.viewed", f"user:{doctors[n % len(doctors)].pk}", {"page": "case"}),
                ("person.signed-in", f"user:{case.patient_id}", {}),
                ("access.denied", f"user:{desk.pk}", {"because": "role"}),
            )
            for action, actor, details in acts:
                yield Entry(
                    index=index,
                    at=case.opened_at,
                    action=action,
                    actor=actor,
                    subject=f"case:{case.pk}",
                    case=case.pk,
                    details=details,
                    leaf=hashlib.sha256(str(index).encode()).digest(),
                )
                index += 1

    made = list(rows())
    _insert(Entry, made)
    frontier = Frontier(head.size, tuple(bytes.fromhex(peak) for peak in head.frontier))
    frontier = frontier.extend(bytes(one.leaf) for one in made)
    TreeHead.objects.filter(pk=1).update(size=frontier.size, frontier=[peak.hex() for peak in frontier.peaks])
