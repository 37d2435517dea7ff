"""Tells the apps above in which span of the calendar people, rooms or kits may have become free, or taken.

The calendar does not know who waits for a time. So whatever changes bookings or hours calls `span_changed` in
its transaction. Each listener stores the span and looks at it later; patients/waitlist registers one.
"""

from collections.abc import Callable
from datetime import datetime

from django.utils import timezone

Listener = Callable[[datetime, datetime], None]
_listeners: dict[str, Listener] = {}


def register_listener(name: str, listener: Listener) -> None:
    """Register a listener, or replace the one of that name. Call it from AppConfig.ready.

    listener: gets the start and the end of the span (aware), inside the transaction of the change.
    """
    _listeners[name] = listener


def span_changed(starts_at: datetime, ends_at: datetime) -> None:
    """Call every listener, unless the span is over. Call it inside the transaction of the change."""
    if ends_at > timezone.now():
        for listener in _listeners.values():
            listener(starts_at, ends_at)
