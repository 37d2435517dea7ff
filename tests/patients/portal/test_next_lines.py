"""What is next: one list by date, with a returned keepsake first."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients.appointments.models import AppointmentTemplate
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.portal.next_lines import next_lines
from tests.appointments import make_appointment, make_template
from tests.configuration import configure
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_signed
from tests.waitlist import make_offer

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def lines_on(client: Client, case: Case) -> list[str]:
    """The lines of the list, each as one text."""
    client.force_login(case.patient)
    return [
        f"{line.text}|{line.url}|{bool(line.appointment)}"
        for line in client.get("/me/").context["next_lines"]
    ]


def test_a_returned_keepsake_comes_first_and_the_rest_by_date(client: Client) -> None:
    configure(cooling_off_hours=240)
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    make_appointment(case, starts_at=timezone.now() + 20 * DAY)
    make_appointment(case, starts_at=timezone.now() + 5 * DAY)
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.RETURNED)
    lines = lines_on(client, case)
    assert lines[0] == "Look again at 1 that we returned|/me/keepsakes/|False"
    assert lines[1:] == ["visit||True", "visit||True"]
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.ACCEPTED)
    make_signed(case)
    lines = lines_on(client, case)
    assert [line.split("|")[0] for line in lines] == [
        "visit",
        "Until then you can think it over. No night begins before.",
        "visit",
    ]


def test_the_night_and_a_free_time_to_answer_are_on_it(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    make_procedure(case)
    (line,) = next_lines(status_of(case), [], None)
    assert (str(line.text), line.detail != "", line.until is not None) == ("The night", True, True)
    offer = make_offer(make_case())
    client.force_login(offer.case.patient)
    shown = client.get("/me/").content.decode().split('id="appointments"')[1]
    assert f'href="/me/waitlist/{offer.pk}/"' in shown or str(offer.pk) in shown
    assert "Answer whether a free time suits you" in shown


def test_with_nothing_ahead_there_is_no_list(client: Client) -> None:
    case = make_case()
    make_template(patients_may_book=True)
    client.force_login(case.patient)
    assert 'href="/me/appointments/new/"' in client.get("/me/").content.decode()
    AppointmentTemplate.objects.update(patients_may_book=False)
    assert "What is next" not in client.get("/me/").content.decode()


def test_an_appointment_shows_preparation_address_and_what_can_be_done(client: Client) -> None:
    configure(clinic_address="12 Beach Road\nMontauk")
    row = make_appointment(
        make_case(), starts_at=timezone.now() + 5 * DAY, preparation_en="Please eat before."
    )
    client.force_login(row.case.patient)
    shown = client.get("/me/").content.decode()
    for words in (
        "Please eat before.",
        "12 Beach Road<br>Montauk",
        f"/me/appointments/{row.pk}.ics",
        f"/me/appointments/{row.pk}/move/",
        f"/me/appointments/{row.pk}/cancel/",
    ):
        assert words in shown
