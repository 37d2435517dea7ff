"""Z1: the table names every URL of the house, and nothing else."""

from django.conf import settings

from clinic.access.policy import PUBLIC, TABLE
from tests.clinic.access.doors import doors

# Answered beside Django's resolver, each under the prefix that settings.ASGI_ROUTES gives its application.
BESIDE = {
    "patients:upload": "/upload/",
    "patients:upload-form": "/upload/",
    "patients:picture": "/pictures/",
    "patients:picture-blurred": "/pictures/",
    "patients:playback": "/playback/",
    "erasure:live": "/live/",
}


def test_z1_every_url_has_a_row_and_every_row_a_url() -> None:
    assert {door.name for door in doors()} | set(BESIDE) == set(TABLE)


def test_z1_every_route_beside_the_resolver_is_known_here() -> None:
    assert set(settings.ASGI_ROUTES) == set(BESIDE.values())


def test_a_view_asks_for_no_sign_in_only_where_the_table_says_public() -> None:
    open_views = {door.name for door in doors() if not getattr(door.view, "login_required", True)}
    public = {name for name, row in TABLE.items() if PUBLIC in (row.read, row.write)}
    assert public - open_views == set()
    closed = {name for name, row in TABLE.items() if row.read == row.write == ()}
    assert open_views - public - closed == set()
