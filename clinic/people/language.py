"""Remembers the language that somebody chose, because mail to them is written in it."""

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import check_for_language, get_language
from django.views.i18n import LANGUAGE_QUERY_PARAMETER, set_language

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record


def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Set the language of this browser, and of the mail to the signed-in user, if any."""
    chosen = request.POST.get(LANGUAGE_QUERY_PARAMETER, "") if request.method == "POST" else ""
    if isinstance(request.user, User) and chosen and check_for_language(chosen):
        remember_language(request.user, chosen)
    return set_language(request)


@transaction.atomic
def remember_language(user: User, language: str) -> None:
    """Store the language of mail to `user`, and record the change."""
    if User.objects.filter(pk=user.pk).exclude(language=language).update(language=language):
        user.language = language
        details = {"language": language}
        record(Act("person.language-chosen", f"user:{user.pk}", actor=actor_of(user), details=details))


def language_at_first(user: User) -> None:
    """Store the language of the page for mail to `user`, if they have none yet."""
    if not user.language:
        user.language = get_language() or ""
        User.objects.filter(pk=user.pk, language="").update(language=user.language)
