"""Many patients, files and requests, inserted at once and without keys, for tests of long lists."""

import uuid
from datetime import timedelta

from django.utils import timezone

from clinic.accounts.models import PersonWord, User
from clinic.accounts.search_words import email_words, name_words, phone_words
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest, RequestWord

GIVEN = ("Anh", "Ánh", "Joel", "Mary", "Stan", "Patrick", "Howard", "Naomi", "Carrie", "Rob")
# Most cases of a clinic are closed: 17 of 20.
STAGES = ("bringing", "review", "booked", *["closed"] * 17)


def crowd_of_cases(number: int, prefix: str = "", *, words: bool = True) -> list[Case]:
    """Insert `number` closed and open cases, the newest first, each with a patient of its own.

    prefix: of the file numbers and addresses, where there is another crowd already. words: with the words by
    which people are found.
    """
    now = timezone.now()
    people = [
        User(
            email=f"{prefix}person{n}@lacuna.example",
            name=f"{GIVEN[n % len(GIVEN)]} Family{n}",
            search_key="",
            password="!",
        )
        for n in range(number)
    ]
    User.objects.bulk_create(people, batch_size=500)
    PersonWord.objects.bulk_create(
        [
            PersonWord(user=user, kind=kind, word=word)
            for user in people
            for kind, word in name_words(user.name) | email_words(user.email)
            if words
        ],
        batch_size=1000,
    )
    cases = [
        Case(
            patient=user,
            reference=f"{prefix}crowd-{n}",
            stage=STAGES[n % len(STAGES)],
            opened_at=now - timedelta(hours=n),
        )
        for n, user in enumerate(people)
    ]
    return Case.objects.bulk_create(cases, batch_size=500)


def crowd_of_requests(
    number: int,
    prefix: str = "",
    *,
    apart: timedelta = timedelta(minutes=1),
    newest: timedelta = timedelta(),
    words: bool = True,
    waiting: int = 20,
) -> list[AppointmentRequest]:
    """Insert `number` requests, the newest first; one of `waiting` waits.

    prefix, words: as of `crowd_of_cases`. apart: the time between two. newest: how old the newest is.
    """
    now = timezone.now() - newest
    rows = [
        AppointmentRequest(
            pk=uuid.uuid4(),
            name=f"{GIVEN[n % len(GIVEN)]} Visitor{n}",
            email=f"{prefix}visitor{n}@lacuna.example",
            phone=f"555 {n:07d}",
            state="new" if n % waiting == 0 else "declined",
            created_at=now - n * apart,
            decided_at=None if n % waiting == 0 else now - n * apart,
        )
        for n in range(number)
    ]
    AppointmentRequest.objects.bulk_create(rows, batch_size=500)
    RequestWord.objects.bulk_create(
        [
            RequestWord(request=row, kind=kind, word=word)
            for row in rows
            for kind, word in name_words(row.name) | email_words(row.email) | phone_words(row.phone)
            if words
        ],
        batch_size=1000,
    )
    return rows
