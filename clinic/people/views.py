"""The door, the way in, and the list of people."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from clinic.people import changes
from clinic.people.forms import InviteForm, RolesForm, WelcomeForm
from clinic.people.invitations import Closed, accept, invite, open_invitation
from clinic.people.models import Role, User


def person_of(request: HttpRequest) -> User:
    """The signed-in person of a request that LoginRequiredMiddleware has let through."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The front door; whoever is signed in goes on to where their work is."""
    user = request.user
    if not isinstance(user, User):
        return render(request, "clinic/people/door.html")
    if user.has_role(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR):
        return redirect("today")
    if user.has_role(Role.AUDITOR, Role.ADMINISTRATOR):
        return redirect("audit")
    try:
        return redirect("patients:portal")
    except NoReverseMatch:
        return render(request, "clinic/people/door.html")


@login_not_required
@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """Answers 200 when the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@sensitive_post_parameters("passphrase")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation, and take it up. Looking at it does not use it."""
    existing = request.user if isinstance(request.user, User) else None
    try:
        found = open_invitation(token)
        form = WelcomeForm(request.POST or None, email=found.email, initial={"name": found.name})
        if request.method == "POST" and (existing or form.is_valid()):
            user = accept(
                token,
                name="" if existing else form.cleaned_data["name"],
                passphrase="" if existing else form.cleaned_data["passphrase"],
                existing=existing,
            )
            login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
            return redirect("home")
    except Closed as closed:
        return render(request, "clinic/people/invitation_closed.html", {"why": str(closed)}, status=410)
    context = {"invitation": found, "form": form, "existing": existing}
    return render(request, "clinic/people/invitation.html", context)


def people(request: HttpRequest) -> HttpResponse:
    """Who has an account; invite a member of staff."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        with transaction.atomic():
            invite(
                data["email"],
                data["name"],
                data["role"],
                by=person_of(request),
                base=request.build_absolute_uri("/"),
            )
        messages.success(request, _("The invitation is on its way."))
        return redirect("people")
    rows = User.objects.prefetch_related("grants").order_by("name", "pk")
    page = Paginator(rows, 40).get_page(request.GET.get("page"))
    return render(request, "clinic/people/people.html", {"page": page, "form": form})


def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One account: its roles, and whether it is open."""
    row = get_object_or_404(User, pk=pk)
    form = RolesForm(request.POST or None, initial={"roles": sorted(row.roles)})
    if request.method == "POST":
        try:
            done = _change(request, row, form)
        except changes.NotYours as refusal:
            messages.error(request, str(refusal))
            return redirect("person", pk=row.pk)
        if done:
            messages.success(request, done)
            return redirect("person", pk=row.pk)
    return render(request, "clinic/people/person.html", {"person": row, "form": form})


def _change(request: HttpRequest, row: User, form: RolesForm) -> str:
    """Do what the page's button says; return the sentence that tells so, or nothing for a faulty form."""
    by, wanted = person_of(request), request.POST.get("do")
    if wanted in {"close", "open"}:
        changes.set_active(row, wanted == "open", by=by)
        return _("The account is open again.") if wanted == "open" else _("The account is closed.")
    if form.is_valid():
        changes.change_roles(row, set(form.cleaned_data["roles"]), by=by)
        return _("The roles are changed, and open sessions are ended.")
    return ""
