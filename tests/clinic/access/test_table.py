"""Z1: the policy table has a row for every URL of the project, and no other."""

from django.conf import settings

from clinic.access.policy import PUBLIC, TABLE
from tests.clinic.access.doors import doors

# URLs outside Django's resolver, each with the prefix of its application in settings.ASGI_ROUTES.
BESIDE = {
    "patients:upload": "/upload/",
    "patients:picture": "/pictures/",
    "patients:picture-blurred": "/pictures/",
    "patients:playback": "/playback/",
    "erasure:live": "/live/",
    "erasure:bed-live": "/bed/live/",
}
# Only the demonstration has these URLs (tests/erasure/demo/test_absence.py); elsewhere they have only a row.
ONLY_IN_DEMONSTRATION = {"erasure:demo-sign-in"}


def test_z1_every_url_has_a_row_and_every_row_a_url() -> None:
    there = {door.name for door in doors()} | set(BESIDE)
    assert there & ONLY_IN_DEMONSTRATION == set()
    assert there | ONLY_IN_DEMONSTRATION == set(TABLE)


def test_z1_every_asgi_route_is_listed_here() -> None:
    assert set(settings.ASGI_ROUTES) == set(BESIDE.values())


def test_only_public_rows_have_views_without_login_required() -> None:
    open_views = {door.name for door in doors() if not getattr(door.view, "login_required", True)}
    public = {name for name, row in TABLE.items() if PUBLIC in (row.read, row.write)}
    assert public - open_views == ONLY_IN_DEMONSTRATION
    closed = {name for name, row in TABLE.items() if row.read == row.write == ()}
    assert open_views - public - closed == set()
