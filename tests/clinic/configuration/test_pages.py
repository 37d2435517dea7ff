"""The pages of settings: changing, confirming, two windows, history; and what pages and mails say by them."""

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Role
from clinic.configuration.models import SettingChange
from clinic.configuration.registry import Section, settings_in
from clinic.people.invitations import invite
from tests.configuration import configure
from tests.edits import edit, hidden_in
from tests.factories import make_user
from tests.outgoing import deliver

pytestmark = pytest.mark.django_db

CLINIC, POLICIES, HISTORY = "/settings/", "/settings/policies/", "/settings/history/"


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(make_user(Role.ADMINISTRATOR, name="Ines House"))
    return client


def policies_form(**more: str) -> dict[str, str]:
    """The form of the policies as a browser sends it, with some fields changed (underscores for hyphens)."""
    sent = {one.key: str(one.default) for one in settings_in(Section.POLICIES)}
    return {**sent, "reason": "", **{name.replace("_", "-"): value for name, value in more.items()}}


def value_in_force(key: str) -> object:
    return SettingChange.objects.in_force().get(key=key).value


def test_a_policy_is_changed_with_its_reason_and_stands_in_the_history(administrator: Client) -> None:
    answer = edit(
        administrator, POLICIES, policies_form(cooling_off_hours="96", reason="The week of Valentine")
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, POLICIES)
    assert value_in_force("cooling-off-hours") == 96
    page = administrator.get(HISTORY).content.decode()
    assert "From 72 h to 96 h" in page
    assert "The week of Valentine" in page
    assert "Ines House" in page
    assert "Looked at and kept: 90 s" in page, "what stood beside it was looked at"


def test_policies_are_confirmed_as_they_are_without_a_reason(administrator: Client) -> None:
    assert "Save, or confirm as it is" in administrator.get(POLICIES).content.decode()
    answer = edit(administrator, POLICIES, policies_form(), follow=True)
    assert "Nothing was changed. It is confirmed as it is." in answer.content.decode()
    assert "confirm as it is</button>" not in answer.content.decode().replace("\n", "")
    assert set(SettingChange.objects.values_list("kept", flat=True)) == {True}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"cooling_off_hours": "96"}, "Please say why."),
        ({"cooling_off_hours": "-1", "reason": "x"}, "greater than or equal to 0"),
        ({"cooling_off_hours": "8761", "reason": "x"}, "less than or equal to 8760"),
        ({"cooling_off_hours": "", "reason": "x"}, "This field is required."),
        ({"cooling_off_hours": "soon", "reason": "x"}, "Enter a number."),
        ({"cooling_off_hours": "nan", "reason": "x"}, "Enter a number."),
        ({"invitation_days": "1.5", "reason": "x"}, "Enter a whole number."),
        ({"pace_seconds": "60", "reason": "r" * 301}, "at most 300 characters"),
    ],
)
def test_an_invalid_policy_is_refused_with_an_error(
    administrator: Client, sent: dict[str, str], message: str
) -> None:
    answer = edit(administrator, POLICIES, policies_form(**sent))
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not SettingChange.objects.exists()


def test_an_older_window_does_not_overwrite_what_another_one_saved(administrator: Client) -> None:
    older = hidden_in(administrator.get(POLICIES))
    edit(administrator, POLICIES, policies_form(cooling_off_hours="96", reason="first"))
    answer = administrator.post(POLICIES, {**older, **policies_form(cooling_off_hours="24", reason="second")})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "This was changed while your page was open." in page
    assert "You changed it yourself in another window" in page
    assert 'value="24"' in page
    assert value_in_force("cooling-off-hours") == 96
    again = {**hidden_in(page), **policies_form(cooling_off_hours="24", reason="second")}
    assert administrator.post(POLICIES, {**again, "cooling-off-hours-choice": "mine"}).status_code == 302
    assert value_in_force("cooling-off-hours") == 24


def test_two_windows_that_change_two_settings_both_keep_theirs(administrator: Client) -> None:
    older = hidden_in(administrator.get(POLICIES))
    edit(administrator, POLICIES, policies_form(cooling_off_hours="96", reason="first"))
    answer = administrator.post(POLICIES, {**older, **policies_form(pace_seconds="60", reason="second")})
    assert answer.status_code == 302
    assert (value_in_force("cooling-off-hours"), value_in_force("pace-seconds")) == (96, 60)


def test_the_front_page_and_the_pages_of_patients_say_what_the_clinic_decided(client: Client) -> None:
    configure(
        clinic_name="Lacuna North",
        clinic_address="Pier 4\nMontauk",
        clinic_telephone="+1 (212) 555-0142",
        clinic_hours="Monday to Friday",
        front_words="We are few.\n\nCome <early>.",
    )
    page = client.get("/").content.decode()
    assert "Lacuna North</h2>" in page
    assert "Pier 4<br>Montauk" in page
    assert 'href="tel:+12125550142">+1 (212) 555-0142</a>' in page
    assert "Monday to Friday" in page
    assert "<p>We are few.</p>" in page
    assert "Come &lt;early&gt;." in page
    assert 'class="call" href="tel:+12125550142"' in client.get("/appointment/").content.decode()


def test_a_clinic_that_decided_nothing_has_its_name_only(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "Lacuna Inc.</h2>" in page
    assert "<dl" not in page
    assert "Call us" not in page


def test_mails_say_the_name_of_the_clinic(client: Client) -> None:
    configure(clinic_name="Lacuna North", invitation_days=3)
    by = make_user(Role.ADMINISTRATOR)
    invite("new@lacuna.example", "Somebody New", Role.DOCTOR, by=by, base="http://testserver/")
    assert deliver() == 1
    (message,) = mail.outbox
    assert message.subject == "Your invitation to Lacuna North"
    assert "Lacuna North has opened its door to you." in message.body
    assert "within 3 days" in message.body
    assert message.body.rstrip().endswith("Lacuna North")
    client.post("/account/password/reset/", {"email": by.email})
    assert mail.outbox[-1].to == [by.email]
    assert mail.outbox[-1].body.rstrip().endswith("Lacuna North")


def test_the_auditor_reads_the_history_and_changes_nothing(client: Client) -> None:
    configure(pace_seconds=60)
    client.force_login(make_user(Role.AUDITOR))
    page = client.get(HISTORY).content.decode()
    assert "From 90 s to 60 s" in page
    assert f'href="{POLICIES}"' not in page
    assert client.get(POLICIES).status_code == 403
    assert client.post(POLICIES, policies_form(pace_seconds="1", reason="x")).status_code == 403


def test_the_history_takes_as_many_queries_for_many_changes_as_for_one(administrator: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert administrator.get(HISTORY).status_code == 200
        return len(found)

    edit(administrator, POLICIES, policies_form(pace_seconds="60", reason="first"))
    queries()
    few = queries()
    for number in range(1, 45):
        configure(pace_seconds=number)
    assert queries() == few
    assert "1 to 40 of" in " ".join(administrator.get(HISTORY).content.decode().split())
