"""The context processor of the demonstration. clinic/settings.py names it only with LACUNA_DEMO."""

from typing import Any

from django.http import HttpRequest

from clinic.access.policy import url_name_of
from clinic.accounts.models import User
from erasure.demo.ownership import is_own_database
from erasure.demo.people_and_rooms import PASSPHRASE, PEOPLE, patients_to_come
from erasure.demo.progress import loading


def demonstration(request: HttpRequest) -> dict[str, Any]:
    """Return what the bar on top of every page and the sign-in page need; {} on any other database.

    top_template, sign_in_template: what the pages of the clinic include at these places.
    demo_to_come: keys of patients who are not loaded yet.
    """
    if not is_own_database():
        return {}
    user = getattr(request, "user", None)
    email = user.email if isinstance(user, User) else ""
    loader = loading()
    return {
        "top_template": "erasure/demo/bar.html",
        "sign_in_template": "erasure/demo/sign_in.html",
        "demo_person": next((person for person in PEOPLE if person.email == email), None),
        "demo_staff": [person for person in PEOPLE if person.is_staff_member],
        "demo_patients": [person for person in PEOPLE if not person.is_staff_member],
        "demo_passphrase": PASSPHRASE,
        "demo_loader": loader,
        "demo_to_come": patients_to_come() if loader else set(),
        "on_sign_in_page": url_name_of(request) == "account_login",
    }
