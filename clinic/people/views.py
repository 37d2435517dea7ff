"""The home page, invitations, and the pages on users."""

import logging
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.edits.changes import last_change
from clinic.http.requests import request_user
from clinic.outgoing.lists import when_it_leaves
from clinic.people import changes
from clinic.people.forms import InviteForm, RolesForm, TakeBackForm, WelcomeForm
from clinic.people.invitations import Closed, accept, has_account, invite, open_invitation, take_back, waiting
from clinic.setup.checklist import lacks_something
from clinic.unavailable import RETRY_AFTER, outage

log = logging.getLogger("lacuna.unavailable")

# The start pages: the roles that have it, its URL name, and its label if a user must choose between two.
START_PAGES: tuple[tuple[frozenset[str], str, str | Promise], ...] = (
    (frozenset({Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR}), "today", gettext_lazy("The day board")),
    (frozenset({Role.AUDITOR, Role.ADMINISTRATOR}), "audit", gettext_lazy("The record")),
    (frozenset({Role.PATIENT}), "patients:portal", gettext_lazy("My own file")),
)
ACCEPTED = ("name", "family_name_first", "passphrase")  # fields of WelcomeForm that `accept` gets


@login_not_required
@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page.

    Redirect signed-in users to their start page, or let them choose if they have several. An administrator
    comes to the set-up page until a night can be booked.
    """
    user = request.user
    if not isinstance(user, User):
        return render(request, "clinic/people/door.html")
    start_pages = [(name, label) for roles, name, label in START_PAGES if user.has_role(*roles)]
    if user.has_role(Role.ADMINISTRATOR) and lacks_something():
        return redirect("setup")
    if len(start_pages) == 1:
        return redirect(start_pages[0][0])
    return render(request, "clinic/people/choice.html", {"doors": start_pages})


@login_not_required
@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """Return 200 if a table of the database can be read, else 503, in plain text for programs that watch."""
    try:
        with connection.cursor() as cursor:
            # SQLite answers "SELECT 1" without its file.
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    except Error as error:
        log.error("%s", outage(error) or error)
        headers = {"Retry-After": str(RETRY_AFTER)}
        return HttpResponse("unavailable", status=503, content_type="text/plain", headers=headers)
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation (GET), or accept it (POST)."""
    existing = request.user if isinstance(request.user, User) else None
    try:
        found = open_invitation(token, existing=existing)
        if existing is None and has_account(found):
            return render(request, "clinic/people/invitation_sign_in.html", {"invitation": found})
        initial = {"name": found.name, "family_name_first": (get_language() or "").startswith("vi")}
        form = WelcomeForm(request.POST or None, email=found.email, initial=initial)
        if request.method == "POST" and (existing or form.is_valid()):
            chosen = {} if existing else {key: form.cleaned_data[key] for key in ACCEPTED}
            user = accept(token, existing=existing, **chosen)
            get_adapter(request).login(request, user)
            return redirect("home")
    except Closed as closed:
        return render(request, "clinic/people/invitation_closed.html", {"why": str(closed)}, status=410)
    context = {"invitation": found, "form": form, "existing": existing}
    return render(request, "clinic/people/invitation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """List the accounts; invite a member of staff, or take an invitation back."""
    form = InviteForm(request.POST if request.POST.get("do") == "invite" else None)
    if request.method == "POST" and (done := _invite_or_take_back(request, form)):
        messages.success(request, done)
        return redirect("people")
    rows = User.objects.prefetch_related("grants").by_name()
    page = Paginator(rows, 40).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "waiting": waiting()}
    return render(request, "clinic/people/people.html", context)


def _invite_or_take_back(request: HttpRequest, form: InviteForm) -> str:
    """Do what the submitted button asks for. Return the message of success, or "" if nothing was done."""
    by = request_user(request)
    if request.POST.get("do") == "take-back":
        chosen = TakeBackForm(request.POST)
        if chosen.is_valid() and take_back(chosen.cleaned_data["invitation"], by=by):
            return _("The invitation is taken back. Its link opens nothing now.")
    elif form.is_valid():
        data, base = form.cleaned_data, request.build_absolute_uri("/")
        language = get_language() or "en"
        invite(data["email"], data["name"], data["role"], by=by, base=base, language=language)
        return f"{_('The invitation is queued.')} {when_it_leaves()}"
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one account; change its roles or its name's order, close it (after a confirmation), open it."""
    row = get_object_or_404(User, pk=pk)
    do = request.POST.get("do", "")
    form = _roles_form(row, viewer=request_user(request))
    confirmed = do != "close" or request.POST.get("sure") == "yes"
    if request.method == "POST" and confirmed:
        try:
            form, done = _change(row, do, request.POST, by=request_user(request))
        except changes.NotYours as refusal:
            messages.error(request, str(refusal))
            return redirect("person", pk=row.pk)
        if done:
            messages.success(request, done)
            return redirect("person", pk=row.pk)
    own = row.pk == request_user(request).pk
    context = {"person": row, "form": form, "closing": not confirmed, "own": own}
    return render(request, "clinic/people/person.html", context, status=409 if form.conflicts else 200)


def _roles_form(row: User, posted: QueryDict | None = None, *, viewer: User) -> RolesForm:
    """Return the form for the staff roles of an account as it is now; posted: with what was sent."""
    about, saved = f"user:{row.pk}", {"roles": sorted(row.roles & STAFF_ROLES)}
    return RolesForm(
        posted,
        about=about,
        saved=saved,
        initial=saved,
        changed_by=lambda: last_change(about, ("person.roles-changed",), viewer=viewer, names=True),
    )


@transaction.atomic
def _change(row: User, do: str, posted: QueryDict, *, by: User) -> tuple[RolesForm, str]:
    """Do what the submitted button asks for.

    Return the form for the roles, and the message of success, or "" if nothing was done. Errors: NotYours.
    """
    if do in {"close", "open"}:
        changes.set_active(row, do == "open", by=by)
        done = _("The account is open again.") if do == "open" else _("The account is closed.")
        return _roles_form(row, viewer=by), done
    if do in {"family-name-first", "given-name-first"}:
        changes.change_name_order(row, do == "family-name-first", by=by)
        return _roles_form(row, viewer=by), _("The order of the name is changed.")
    locked = changes.lock_account(row, by=by)
    form = _roles_form(locked, posted if do == "roles" else None, viewer=by)
    if not form.is_valid():
        return form, ""
    if not form.edited:
        return form, _("Nothing was changed: the roles are so already.")
    changes.change_roles(locked, set(form.cleaned_data["roles"]), by=by)
    return form, _("The roles are changed, and open sessions are ended.")
