"""The Viewer that the session page's view makes for a person."""

from clinic.access.policy import allowed
from clinic.accounts.models import User
from erasure.runs.models import Run
from erasure.session.snapshot import Viewer
from erasure.session.viewers import viewer_of


def viewer(run: Run, user: User) -> Viewer:
    return viewer_of(user, run, allowed(user, "erasure:session", {"run": run.pk}, "GET"))
