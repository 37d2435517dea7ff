"""What the access policy must always say, tested on the rows that each statement concerns."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from clinic.access.policy import TABLE, allowed
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db


def may(user: User, name: str, method: str = "GET", **kwargs: object) -> bool:
    return allowed(user, name, kwargs, method).allowed


def test_a_url_without_a_row_is_closed_to_everyone() -> None:
    everything = make_user(*Role)
    decision = allowed(everything, "patients:nowhere", {}, "GET")
    assert (decision.allowed, decision.status, decision.because) == (False, 403, "no-row")


def test_an_auditor_sees_no_keepsake_and_changes_nothing() -> None:
    auditor, run = make_user(Role.AUDITOR), make_run(memories=1)
    keepsake = run.procedure.case.keepsakes.get()
    assert not may(auditor, "patients:picture", picture=keepsake.picture_id)
    assert may(auditor, "erasure:session", run=run.pk)
    assert may(auditor, "erasure:certificate", run=run.pk)
    # Verifying, comparing and exporting only read the log, but add an entry that says so.
    writes = {
        name
        for name in TABLE
        if not name.startswith("account_") and may(auditor, name, "POST", run=run.pk, case=keepsake.case_id)
    }
    public = {"set_language", "invitation", "account-return", "patients:request", "erasure:verify"}
    public.add("erasure:demo-sign-in")  # no address leads to it outside the demonstration
    assert writes - public == {"audit-verify", "audit-compare", "audit-export", "erasure:report-export"}


def test_an_administrator_sees_no_content_of_cases() -> None:
    administrator, run = make_user(Role.ADMINISTRATOR), make_run(memories=1)
    case = run.procedure.case
    keepsake = case.keepsakes.get()
    assert not may(administrator, "patients:case", case=case.pk)
    assert not may(administrator, "patients:cases")
    assert not may(administrator, "patients:picture", picture=keepsake.picture_id)
    assert not may(administrator, "erasure:session", run=run.pk)
    assert may(administrator, "people", "POST")
    assert may(administrator, "audit")


def test_a_technician_sees_cases_in_mapping_and_those_assigned() -> None:
    technician, case = make_technician(), make_case()
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    assert may(technician, "patients:case", case=case.pk)
    assert may(technician, "patients:picture", picture=keepsake.picture_id)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.INTAKE)
    assert not may(technician, "patients:case", case=case.pk)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.BRINGING)
    case.refresh_from_db()
    procedure = make_procedure(case)
    team = User.objects.get(grants__role=Role.TECHNICIAN, resources__bookings=procedure.booking)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.BOOKED)
    assert may(team, "patients:case", case=case.pk)
    assert not may(technician, "patients:case", case=case.pk)


def test_z3_an_object_of_another_case_is_refused_under_ones_own_case() -> None:
    mine, theirs = make_case(), make_case()
    foreign = make_keepsake(make_memory(theirs))
    own = make_keepsake(make_memory(mine))
    both = make_user(Role.PATIENT, Role.DOCTOR)
    Case.objects.filter(pk=mine.pk).update(patient=both)
    assert allowed(both, "patients:keepsake", {"case": mine.pk, "keepsake": own.pk}, "GET").allowed
    decision = allowed(both, "patients:keepsake", {"case": mine.pk, "keepsake": foreign.pk}, "GET")
    assert (decision.allowed, decision.status, decision.because) == (False, 404, "no-object")


@pytest.mark.parametrize("name", ["Clementine Kruczynski", "clémentine  KRUCZYNSKI"])
def test_z9_the_subject_of_a_case_has_no_access_to_it_as_staff(name: str) -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    colleague = make_user(Role.DOCTOR, name=name)
    decision = allowed(colleague, "patients:case", {"case": case.pk}, "GET")
    assert (decision.allowed, decision.status, decision.because) == (False, 404, "conflict")


def test_z9_an_equal_first_name_alone_is_no_conflict() -> None:
    case = make_case(subject_name="Clementine")
    assert may(make_user(Role.DOCTOR, name="Clementine Kruczynski"), "patients:case", case=case.pk)
    assert may(make_user(Role.DOCTOR, name="Clementine"), "patients:case", case=case.pk)


def test_z9_no_staff_role_counts_on_ones_own_case() -> None:
    case = make_case(make_user(*STAFF_ROLES, Role.PATIENT))
    keepsake = make_keepsake(make_memory(case))
    assert may(case.patient, "patients:keepsake", keepsake=keepsake.pk)
    for name in ("patients:case", "patients:review", "patients:mapping"):
        assert not may(case.patient, name, case=case.pk)


def test_a_refusal_does_not_reveal_whether_the_object_exists() -> None:
    administrator, run = make_user(Role.ADMINISTRATOR), make_run(memories=1)
    existing = allowed(administrator, "erasure:session", {"run": run.pk}, "GET")
    missing = allowed(administrator, "erasure:session", {"run": uuid4()}, "GET")
    assert existing == missing
    stranger = make_user(Role.PATIENT)
    existing = allowed(stranger, "erasure:session", {"run": run.pk}, "GET")
    missing = allowed(stranger, "erasure:session", {"run": uuid4()}, "GET")
    assert (existing.status, missing.status) == (404, 404)


def test_a_closed_account_has_no_access() -> None:
    closed = make_user(*Role, is_active=False)
    assert not may(closed, "today")
    assert not may(closed, "account_reauthenticate")
    assert not allowed(AnonymousUser(), "today", {}, "GET").allowed


def test_l1_a_denial_is_one_entry_that_says_who_what_and_why(client: Client) -> None:
    administrator, case = make_user(Role.ADMINISTRATOR), make_case()
    client.force_login(administrator)
    answer = client.get(f"/files/{case.pk}/", REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 403
    entry = Entry.objects.get(action="access.denied")
    assert (entry.actor, entry.subject, entry.case) == (
        f"user:{administrator.pk}",
        "url:patients:case",
        case.pk,
    )
    assert entry.details == {"method": "get", "because": "role", "case": str(case.pk)}
    assert entry.address == "192.0.2.7"


def test_an_anonymous_visitor_is_sent_to_sign_in_and_no_entry_is_written(client: Client) -> None:
    case = make_case()
    before = Entry.objects.count()
    answer = client.get(f"/files/{case.pk}/")
    assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next=/files/{case.pk}/")
    assert Entry.objects.count() == before


def test_l1_a_wrong_method_is_not_recorded_as_a_denial(client: Client) -> None:
    client.force_login(make_user(Role.AUDITOR))
    answer = client.get("/audit/verify/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert client.post("/audit/").status_code == 405
    assert not Entry.objects.exists()
    client.force_login(make_user(Role.RECEPTIONIST))
    assert client.get("/audit/verify/").status_code == 403
    assert Entry.objects.get().action == "access.denied"
