"""The page on which a person makes and ends the address of their feed, and the feed itself."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.audit.context import client_address
from clinic.calendar_feeds.contents import feed_of
from clinic.calendar_feeds.feeds import FeedRefused, current_feed, end_feed, feed_mark, find_feed, make_feed
from clinic.http.networks import network_of
from clinic.http.requests import request_user

# Requests with an unknown token per network and hour. Calendar programs go on asking for an ended feed.
MAX_UNKNOWN = 60
HOUR_SECONDS = 3600


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_feed(request: HttpRequest) -> HttpResponse:
    """Show whether the person has a feed; make one, replace its address, or end it.

    A new address is shown once, in the answer to the request that makes it.
    """
    user, address = request_user(request), ""
    do, seen = request.POST.get("do", ""), request.POST.get("seen", "")
    if request.method == "POST":
        try:
            if do == "end":
                end_feed(user, seen=seen)
                messages.success(request, _("The address is ended. It opens nothing any more."))
                return redirect("calendar-feed")
            if do == "make":
                token = make_feed(user, seen=seen)
                address = request.build_absolute_uri(reverse("calendar-feed-file", args=[token]))
        except FeedRefused as refusal:
            messages.error(request, str(refusal))
            return redirect("calendar-feed")
    feed = current_feed(user)
    context = {"feed": feed, "seen": feed_mark(user, feed), "address": address}
    return render(request, "clinic/calendar_feeds/feed.html", context)


def _is_over_limit(address: str) -> bool:
    """Count a request with an unknown token. Return whether the client's network is over the limit."""
    key = f"calendar-feeds:{network_of(address)}"
    return not any(cache.add(f"{key}:{number}", 1, timeout=HOUR_SECONDS) for number in range(MAX_UNKNOWN))


@login_not_required
@never_cache
@require_safe
def feed_file(request: HttpRequest, token: str) -> HttpResponse:
    """Return a feed. Unknown tokens are answered with 404, and with 429 beyond MAX_UNKNOWN."""
    feed = find_feed(token)
    if feed is None:
        client = client_address(
            request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        )
        if _is_over_limit(client):
            return HttpResponse(status=429, headers={"Retry-After": str(HOUR_SECONDS)})
        raise Http404
    return HttpResponse(
        feed_of(feed.user),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'inline; filename="lacuna.ics"'},
    )
