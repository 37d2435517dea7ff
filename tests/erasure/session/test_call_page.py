"""A doctor call is shown on every page to the people it concerns, with a link to a page they may open."""

import re

import pytest
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.outgoing.models import OutgoingMessage
from erasure.jobs.supervisor import end_stopped
from erasure.runs import calls, control
from erasure.runs.models import CallNotice, Run
from erasure.runs.run_actions import NotNow
from tests.erasure.runs.nights import doctor_of, event_kinds, make_call_due, technician_of
from tests.erasure.runs.test_resistance import make_held
from tests.factories import make_doctor, make_run, make_technician, make_user
from tests.outgoing import deliver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def administrator() -> User:
    return make_user(Role.ADMINISTRATOR)


def make_escalated() -> Run:
    run = make_run(1)
    control.safe_word(run.pk, by=technician_of(run))
    make_call_due(run, escalate=True)
    assert calls.remind_due()
    return run


def alert_links(client: Client, person: User, url: str = "/today/") -> list[str]:
    """The links in the alerts of a page that this person opens."""
    client.force_login(person)
    page = client.get(url).content.decode()
    _before, _place, rest = page.partition('class="alert-list"')
    return re.findall(r'<a [^>]*href="([^"]+)"', rest.partition("</main>")[0].partition("<main")[0])


def test_after_an_escalation_an_administrator_can_open_the_call_page(
    client: Client, administrator: User
) -> None:
    run = make_escalated()
    (link,) = alert_links(client, administrator)
    assert link == f"/sessions/{run.pk}/call/"
    board = client.get("/people/").content.decode()
    assert f"A doctor is called to the session of file {run.procedure.case.reference}," in board
    page = client.get(link).content.decode()
    assert client.get(f"/sessions/{run.pk}/").status_code == 403
    assert "The safe word was said." in page
    for person in (doctor_of(run), technician_of(run)):
        assert f"<b>{person.name}</b>" in page
        assert f"mailto:{person.email}" in page
    assert run.procedure.case.patient.name not in page
    assert "I am coming" not in page
    assert alert_links(client, administrator, link) == []


def test_an_administrator_confirms_having_seen_a_call_and_only_a_doctor_answers(
    client: Client, administrator: User
) -> None:
    run = make_escalated()
    client.force_login(administrator)
    for _time in range(2):
        answer = client.post(f"/sessions/{run.pk}/call/seen/", follow=True)
        assert answer.redirect_chain == [(f"/sessions/{run.pk}/call/", 302)]
    assert "You have said that you know." in answer.content.decode()
    assert event_kinds(run).count("call-seen") == 1
    assert Entry.objects.filter(action="run.call-seen", actor=f"user:{administrator.pk}").count() == 1
    assert client.post(f"/sessions/{run.pk}/acknowledge/").status_code == 403
    assert calls.unanswered().filter(run=run).exists()
    make_call_due(run, remind=True)
    assert calls.remind_due()
    reminders = CallNotice.objects.filter(kind=CallNotice.Kind.AGAIN)
    reminded = {notice.user for notice in reminders}
    assert doctor_of(run) in reminded
    assert administrator not in reminded


def test_people_who_were_not_notified_have_no_call_page(client: Client, administrator: User) -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    client.force_login(administrator)
    assert client.get(f"/sessions/{run.pk}/call/").status_code == 404
    with pytest.raises(NotNow):
        calls.mark_seen(run.pk, by=administrator)
    assert alert_links(client, administrator) == alert_links(client, make_doctor()) == []
    client.force_login(make_technician())
    assert client.get(f"/sessions/{run.pk}/call/").status_code == 404


def test_doctors_and_the_responsible_technician_get_a_link_to_the_session(client: Client) -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    for person in (doctor_of(run), technician_of(run)):
        assert alert_links(client, person) == [f"/sessions/{run.pk}/"]
        assert alert_links(client, person, f"/sessions/{run.pk}/") == []
    client.force_login(doctor_of(run))
    assert "I am coming" in client.get(f"/sessions/{run.pk}/call/").content.decode()


def test_an_answer_ends_the_alert_and_the_page_names_the_doctor(client: Client, administrator: User) -> None:
    run = make_escalated()
    calls.acknowledge(run.pk, by=doctor_of(run))
    assert alert_links(client, administrator) == []
    page = client.get(f"/sessions/{run.pk}/call/").content.decode()
    assert f"{doctor_of(run).short_name} answered at" in page
    assert client.post(f"/sessions/{run.pk}/call/seen/", follow=True).status_code == 200
    assert event_kinds(run).count("call-seen") == 0
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    end_stopped()
    assert client.get(f"/sessions/{run.pk}/call/").status_code == 404


def test_a_call_about_a_copy_ends_when_its_run_is_stopped(client: Client, administrator: User) -> None:
    run = make_held()
    make_call_due(run, escalate=True)
    calls.remind_due()
    assert alert_links(client, administrator) == [f"/sessions/{run.pk}/call/"]
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert alert_links(client, administrator) == []
    assert "there is nothing to decide any more" in client.get(f"/sessions/{run.pk}/call/").content.decode()
    assert not calls.acknowledge(run.pk, by=doctor_of(run)).changed
    deliver()
    mail_states = OutgoingMessage.objects.filter(event="doctor-wanted").values_list("status", flat=True)
    assert set(mail_states) == {"cancelled"}


def test_a_run_without_a_call_has_no_call_page(client: Client) -> None:
    run = make_run(1)
    client.force_login(doctor_of(run))
    assert client.get(f"/sessions/{run.pk}/call/").status_code == 404
