"""The pages with lists that staff and patients open, for tests and measurements of a clinic of many years."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from patients.case_file.lists import STAGES
from patients.requests.lists import FILTERS

# What a page is called here, the role that opens it, and its address.
Page = tuple[str, str, str]


def pages(patient: User, doctor: User) -> Iterator[Page]:
    """Yield every page with a list, also narrowed. patient, doctor: whose files and bookings are searched."""
    desk, today = Role.RECEPTIONIST, timezone.localdate()
    room = Resource.objects.filter(kind=Resource.Kind.ROOM).earliest("label")
    for role in (desk, Role.DOCTOR, Role.TECHNICIAN):
        yield f"board, {role}", role, "/today/"
        yield f"board by state, {role}", role, "/today/?by=state"
        yield f"files, {role}", role, "/files/"
        yield f"alerts, {role}", role, "/alerts/"
    yield "board of another day", desk, f"/today/?day={today - timedelta(days=3)}"
    yield "wall", desk, "/today/wall/"
    for view in ("day", "week", "month", "resources", "list"):
        yield f"calendar, {view}", desk, f"/calendar/?view={view}"
    yield "calendar of a person", desk, f"/calendar/?view=month&person={doctor.pk}"
    yield "calendar of a room", desk, f"/calendar/?view=month&place={room.pk}"
    yield "calendar of a kind", desk, "/calendar/?view=month&kind=visit"
    yield "day sheet", desk, "/calendar/sheet/"
    for chosen in FILTERS:
        yield f"requests, {chosen}", desk, f"/requests/?state={chosen}"
    yield "requests, found", desk, "/requests/?find=visitor444"
    for stage in STAGES:
        if stage:
            yield f"files, {stage}", desk, f"/files/?stage={stage}"
    yield "files, found", desk, "/files/?name=family444"
    for role in (desk, Role.DOCTOR, Role.TECHNICIAN):
        for chosen in ("", "mine", "all"):
            yield f"messages, {chosen}, {role}", role, f"/messages/?show={chosen}"
    yield "own messages", Role.PATIENT, "/me/messages/"
    yield "mail, desk", desk, "/mail/"
    yield "mail, administrator", Role.ADMINISTRATOR, "/mail/"
    yield "set-up", Role.ADMINISTRATOR, "/setup/"
    yield "reports", Role.AUDITOR, "/reports/"
    yield "files, auditor", Role.AUDITOR, "/files/"
    yield "log", Role.AUDITOR, "/audit/"
    yield "log, administrator", Role.ADMINISTRATOR, "/audit/"
    yield "log of a day", Role.AUDITOR, f"/audit/?since={today}&until={today}"
    yield "log of a person", Role.AUDITOR, f"/audit/?who=user:{doctor.pk}"
    yield "log of an action", Role.AUDITOR, "/audit/?what=access.denied"
    yield "log of the machines", Role.AUDITOR, "/audit/?who=system"
    yield "portal", Role.PATIENT, "/me/"
    yield "sheet", Role.PATIENT, "/me/sheet/"
    yield "proposals", Role.PATIENT, "/me/sheet/proposals/"
    yield "timeline", Role.PATIENT, "/me/timeline/"
