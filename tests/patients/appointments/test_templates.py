"""Templates: those of a new installation, and the pages on which an administrator keeps them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.appointments.template_changes import TemplateRefused, change_template
from tests.appointments import make_appointment, make_first_templates, make_template
from tests.edits import hidden_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db
LIST, NEW = "patients:appointment-templates", "patients:appointment-template-new"


@pytest.fixture
def boss() -> User:
    return make_user(Role.ADMINISTRATOR, name="Ines House")


@pytest.fixture
def administrator(client: Client, boss: User) -> Client:
    client.force_login(boss)
    return client


def values(**more: object) -> dict[str, object]:
    """The fields of a posted form for the template "Talk"."""
    return {
        "name": "Talk",
        "kind": "visit",
        "minutes": "30",
        "doctors": "1",
        "technicians": "0",
        "place": "room",
        "buffer_before": "0",
        "buffer_after": "15",
        **more,
    }


def url_of(row: AppointmentTemplate) -> str:
    return reverse("patients:appointment-template", args=[row.pk])


def test_a_new_installation_has_one_of_each_kind_in_both_languages() -> None:
    make_first_templates()
    found = AppointmentTemplate.objects.order_by("minutes")
    assert [(one.kind, one.minutes, one.doctors, one.technicians, one.place) for one in found] == [
        ("follow-up", 30, 1, 0, "room"),
        ("visit", 45, 1, 0, "room"),
        ("mapping", 90, 0, 1, "room"),
    ]
    assert found[0].days_after_night == 21
    with translation.override("vi"):
        assert found[0].preparation == found[0].preparation_vi
    assert found[0].preparation == found[0].preparation_en
    assert AppointmentTemplate(preparation_vi="Chào").preparation == "Chào"


def test_an_administrator_adds_a_template_and_the_log_says_all_but_its_words(administrator: Client) -> None:
    after = make_template("Later", kind="follow-up")
    sent = values(preparation_en="Sleep well.", follow_up=str(after.pk), follow_up_days="21")
    assert administrator.post(reverse(NEW), sent).status_code == 302
    row = AppointmentTemplate.objects.get(name="Talk")
    assert (row.minutes, row.buffer_after, row.follow_up, row.follow_up_days) == (30, 15, after, 21)
    details = Entry.objects.get(action="appointment-template.added").details
    assert details["minutes"] == 30
    assert details["follow_up"] == str(after.pk)
    assert "Sleep" not in str(details)
    assert "Talk" in administrator.get(reverse(LIST)).content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"minutes": "40"}, "Please give quarters of an hour"),
        ({"minutes": "1000"}, "480"),
        ({"doctors": "0", "place": "none"}, "An appointment needs somebody, or a room."),
        ({"follow_up_days": "3"}, "Please choose what follows"),
        ({"name": ""}, "Name"),
        ({"kind": "night"}, "night"),
        ({"name": "Taken"}, "There is a template of this name already."),
    ],
)
def test_a_wrong_template_is_refused_in_a_sentence(
    administrator: Client, wrong: dict[str, str], words: str
) -> None:
    make_template("Taken")
    count = AppointmentTemplate.objects.count()
    answer = administrator.post(reverse(NEW), values(**wrong, preparation_en="My words"))
    assert answer.status_code in {409, 422}
    page = answer.content.decode()
    assert words in page
    assert "My words" in page
    assert AppointmentTemplate.objects.count() == count


def test_a_follow_up_needs_days_and_no_template_follows_itself(administrator: Client) -> None:
    row = make_template()
    other = make_template("Other")
    answer = administrator.post(url_of(row), values(follow_up=str(other.pk), do="save"))
    assert "Please say after how many days." in answer.content.decode()
    answer = administrator.post(url_of(row), values(follow_up=str(row.pk), follow_up_days="3", do="save"))
    assert answer.status_code in {409, 422}
    row.refresh_from_db()
    assert row.follow_up is None


def test_a_changed_template_changes_nothing_that_is_booked_and_says_who_did_it(
    administrator: Client, boss: User
) -> None:
    booked = make_appointment()
    row = AppointmentTemplate.objects.get(name="Talk")
    older = hidden_in(administrator.get(url_of(row)))
    sent = {**older, **values(minutes="60", preparation_en="Come rested.", do="save")}
    assert administrator.post(url_of(row), sent).status_code == 302
    row.refresh_from_db()
    assert (row.minutes, row.buffer_after) == (60, 15)
    booked = Appointment.objects.with_booking().get()
    assert (booked.minutes, booked.preparation_en) == (30, "")
    entry = Entry.objects.get(action="appointment-template.changed")
    assert entry.details == {
        "minutes": 60,
        "minutes_before": 30,
        "buffer_after": 15,
        "buffer_after_before": 0,
        "preparation_en_changed": True,
    }
    page = administrator.get(url_of(row)).content.decode()
    assert "Ines House" in page
    assert "minutes before: 30" in page
    # A page from before the change, with another value, is a conflict.
    assert administrator.post(url_of(row), {**older, **values(minutes="90", do="save")}).status_code == 409
    row.refresh_from_db()
    assert row.minutes == 60


def test_a_retired_template_is_not_offered_and_comes_back(administrator: Client) -> None:
    row = make_template()
    for _twice in range(2):
        assert administrator.post(url_of(row), {"do": "retire"}).status_code == 302
    assert row not in AppointmentTemplate.objects.usable()
    assert "retired" in administrator.get(reverse(LIST)).content.decode()
    administrator.post(url_of(row), {"do": "use"})
    assert row in AppointmentTemplate.objects.usable()
    actions = Entry.objects.filter(subject=f"appointment-template:{row.pk}").order_by("index")
    assert list(actions.values_list("action", flat=True)) == [
        "appointment-template.retired",
        "appointment-template.in-use",
    ]


def test_the_list_takes_the_same_number_of_queries_for_many_templates(administrator: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            administrator.get(reverse(LIST))
        return len(found)

    after = make_template("Later")
    make_template("First", follow_up=after, follow_up_days=3)
    few = queries()
    for number in range(3):
        make_template(f"More {number}", follow_up=after, follow_up_days=3)
    assert queries() == few


def test_a_template_that_would_follow_itself_is_refused_under_its_lock(boss: User) -> None:
    row = make_template()
    with pytest.raises(TemplateRefused, match="cannot follow itself"):
        change_template(
            row, {"follow_up": row, "follow_up_days": 3}, {"follow_up", "follow_up_days"}, by=boss
        )
    row.refresh_from_db()
    assert row.follow_up is None
