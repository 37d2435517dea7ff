"""The outbox page of the demonstration: mail that was stored instead of sent."""

import hashlib
import re
from collections.abc import Collection

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clinic.accounts.models import Invitation, User
from clinic.http.requests import request_user
from clinic.outbox.models import Mail

# The token in the link of an invitation (clinic/people/urls.py).
INVITATION_LINK = re.compile(r"/invitation/([\w-]+)/")


def mails_of(user: User) -> list[Mail]:
    """Return the mails to `user`, and those with the link of an invitation that `user` sent, newest first."""
    sent = dict(Invitation.objects.filter(invited_by=user).values_list("token_digest", "email"))
    invited = Q(to__in=set(sent.values()), body__contains="/invitation/")
    candidates = Mail.objects.filter(Q(to__iexact=user.email) | invited)
    return [mail for mail in candidates if mail.to.lower() == user.email or _invites(mail, sent)]


def _invites(mail: Mail, sent: Collection[str]) -> bool:
    link = INVITATION_LINK.search(mail.body)
    return link is not None and hashlib.sha256(link[1].encode()).hexdigest() in sent


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show the mails to this user and the invitations they sent, newest first.

    No other: a mail may hold a link that opens somebody's account. 404 unless this is the demonstration.
    """
    if not settings.LACUNA_DEMO:
        raise Http404
    page = Paginator(mails_of(request_user(request)), 25).get_page(request.GET.get("page"))
    return render(request, "clinic/outbox/outbox.html", {"page": page})
