"""B7. A migration normalizes stored names and addresses, except addresses of accounts that would collide."""

from datetime import timedelta
from unicodedata import normalize

from django.utils import timezone

from clinic.accounts.checks import addresses_are_in_one_form
from clinic.accounts.models import Invitation, PersonWord, User
from clinic.accounts.search_words import find_owners
from patients.requests.models import AppointmentRequest, RequestWord
from patients.requests.numbers import request_number
from tests.schema import Schema

BEFORE = [("clinic", "0006_bookings_are_released"), ("patients", "0007_file_numbers_with_check_digits")]
NAME = "Nguyễn Thị Ánh"
NFD = normalize("NFD", NAME)
UNICODE_FORM, ASCII_FORM = "jo@bücher.example", "jo@xn--bcher-kva.example"


def test_b7_the_migration_normalizes_names_and_addresses(schema: Schema) -> None:
    before = schema.undo_after(*BEFORE)
    accounts = before.get_model("clinic", "User").objects
    for number, address in enumerate(["an@Straße.example", UNICODE_FORM, ASCII_FORM, "bo@lacuna.example"]):
        accounts.create(email=address, name=f"{NFD} {number}")
    later = timezone.now() + timedelta(days=1)
    invitation = before.get_model("clinic", "Invitation").objects.create(
        email="Jo@Bücher.example",
        name=NFD,
        role="doctor",
        token_digest="0" * 64,
        expires_at=later,
        used_by=accounts.get(email="bo@lacuna.example"),
    )
    before.get_model("patients", "AppointmentRequest").objects.create(
        email="Jo@Bücher.example", name=NFD, phone="+1 555 0100", invitation=invitation
    )
    schema.redo()
    rows = list(User.objects.order_by("name"))
    assert [row.email for row in rows] == [
        "an@xn--strae-oqa.example",
        UNICODE_FORM,
        ASCII_FORM,
        "bo@lacuna.example",
    ]
    for number, row in enumerate(rows):
        assert row.name == f"{NAME} {number}"
        assert row.search_key == f"nguyen thi anh {number}"
        assert (bytes(row.sort_en), bytes(row.sort_vi)) == (row.name_sort_key("en"), row.name_sort_key("vi"))
        assert row.family_name_first is False
    (warning,) = addresses_are_in_one_form(databases=["default"])
    assert all(str(row.pk) in str(warning.msg) for row in rows[1:3])
    for kind in (Invitation, AppointmentRequest):
        row = kind.objects.get()
        assert (row.name, row.email) == (NAME, "Jo@xn--bcher-kva.example")
    # Later migrations write the search words, and copy the telephone number to the patient's contact.
    for kind, owner, typed in (
        (PersonWord, "user", "anh 3"),
        (PersonWord, "user", "555 0100"),
        (PersonWord, "user", "bo@lacuna.example"),
    ):
        assert find_owners(kind, owner, typed, "pk").owners == {rows[3].pk}
    request = AppointmentRequest.objects.get()
    for typed in ("thị ánh", "jo@bücher.example", "5550100", request_number(request.pk)):
        assert find_owners(RequestWord, "request", typed, "pk").owners == {request.pk}
    assert rows[3].contact.phone == "+1 555 0100"
    # Each of the two still finds its own account.
    assert User.objects.at_address(UNICODE_FORM).get() == rows[1]
    assert User.objects.at_address(ASCII_FORM.upper()).get() == rows[2]
