"""The pages on which administrators change the settings of the clinic and its policies, and the history."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.accounts.models import Role
from clinic.configuration.changes import change_settings, lock_settings, stored_values, undecided
from clinic.configuration.forms import SettingsForm
from clinic.configuration.history import lines_of
from clinic.configuration.models import SettingChange
from clinic.configuration.registry import Section
from clinic.edits.changes import last_change
from clinic.http.requests import request_user

PAGE_SIZE = 40
CHANGE_ACTIONS = {"setting.changed"}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def clinic_settings(request: HttpRequest) -> HttpResponse:
    """Show and change the clinic's name, address, telephone, hours and words."""
    return _page(request, Section.CLINIC)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def policies(request: HttpRequest) -> HttpResponse:
    """Show and change the policies, or confirm them as they are."""
    return _page(request, Section.POLICIES)


def _page(request: HttpRequest, section: Section) -> HttpResponse:
    if request.method != "POST":
        form = _form(request, section)
        return _render_page(request, section, form, 200)
    with transaction.atomic():
        lock_settings()
        form = _form(request, section, bound=True)
        if form.is_valid():
            changed = change_settings(
                section, form.chosen(), reason=form.cleaned_data["reason"], by=request_user(request)
            )
            messages.success(request, _saved_message(changed))
            return redirect(request.path)
    return _render_page(request, section, form, form.refused_status())


def _form(request: HttpRequest, section: Section, *, bound: bool = False) -> SettingsForm:
    user = request_user(request)
    return SettingsForm(
        request.POST if bound else None,
        section=section,
        saved=stored_values(section),
        changed_by=lambda: last_change(f"settings:{section}", CHANGE_ACTIONS, viewer=user, names=True),
    )


def _saved_message(changed: int) -> str:
    if not changed:
        return _("Nothing was changed. It is confirmed as it is.")
    return ngettext(
        "Saved: %(number)s setting was changed.", "Saved: %(number)s settings were changed.", changed
    ) % {"number": changed}


def _render_page(request: HttpRequest, section: Section, form: SettingsForm, status: int) -> HttpResponse:
    context = {
        "section": section,
        "form": form,
        "undecided": bool(undecided(section)),
        "recent": lines_of(SettingChange.objects.filter(key__in=form.saved)[:5]),
    }
    return render(request, "clinic/configuration/settings.html", context, status=status)


@require_safe
@never_cache
def history(request: HttpRequest) -> HttpResponse:
    """List every change of a setting, newest first."""
    page = Paginator(SettingChange.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "changes": lines_of(page.object_list),
        "may_change": request_user(request).has_role(Role.ADMINISTRATOR),
    }
    return render(request, "clinic/configuration/history.html", context)
