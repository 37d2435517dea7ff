"""The person that a page was made for.

Every page and every form of a page carries a mark of its owner. When another person has signed in meanwhile
in the same browser, a request from the older page is recognised by its mark.
"""

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from clinic.accounts.models import User
from clinic.keyed_digests import keyed_digests

FIELD = "page_owner"
HEADER = "X-Page-Owner"
SALT = "clinic.access.page_owner"
DIGITS = 32  # hexadecimal digits of a mark


def owner_mark(user: object) -> str:
    """Return the mark of pages that are made for `user`. It tells nothing of them; "" for anybody else."""
    return owner_marks(user)[0]


def owner_marks(user: object) -> list[str]:
    """Return the marks that pages of `user` may carry: the present one, then those of former secret keys."""
    if not isinstance(user, User):
        return [""]
    return [digest[:DIGITS] for digest in keyed_digests(SALT, str(user.pk))]


def page_owner_of(request: HttpRequest) -> str | None:
    """Return the mark of the page that sent `request`; None if it carries none.

    "" is the mark of a page that was made while nobody was signed in.
    """
    mark = request.headers.get(HEADER)
    if mark is None and request.method == "POST":
        try:
            mark = request.POST.get(FIELD)
        except UnreadablePostError:  # the client is gone
            return None
    return mark
