"""What every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import translation

from erasure.jobs import certifying
from patients.vault import configured
from tests.clinic.audit.plugin import log_can_be_flushed
from tests.database import django_db_setup
from tests.erasure.verification.ended import verify_here
from tests.mailers import MEMORY, send_mail_through
from tests.photos import REPORTED, SHARED, make_photos
from tests.servers import bucket, nowhere, s3_server

__all__ = ["bucket", "django_db_setup", "log_can_be_flushed", "nowhere", "s3_server"]
pytest_plugins = ["tests.both_databases", "tests.limits", "tests.order", "tests.report"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(vendor): says something of one database alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what says something of the other database: the other half of the suite runs it."""
    here, others = [], []
    for item in items:
        elsewhere = any(mark.args != (connection.vendor,) for mark in item.iter_markers("only_on"))
        (others if elsewhere else here).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = here


@pytest.fixture(scope="session")
def made_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that tests.photos makes, once for all the processes of a run."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "photos"
    make_photos(directory)
    return directory


@pytest.fixture(params=["made", *(["shared"] if SHARED.is_dir() else [])])
def sample_photos(request: pytest.FixtureRequest) -> Path:
    """A directory of photos as cameras make them: the made ones, and again the real ones where they are."""
    return SHARED if request.param == "shared" else request.getfixturevalue("made_photos")


@pytest.fixture
def reported() -> Path:
    """The directory of small files that stand for what people reported; skips where it is not."""
    if not REPORTED.is_dir():
        pytest.skip("the reported files are not here")
    return REPORTED


@pytest.fixture
def best_photos(request: pytest.FixtureRequest) -> Path:
    """The real photos where they are, else the made ones, for tests that are too long to run with both."""
    return SHARED if SHARED.is_dir() else request.getfixturevalue("made_photos")


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where static files would lie. Tests lay none out, finders find them; WhiteNoise wants the folder."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture(autouse=True)
def own_house(tmp_path: Path, settings: django_settings, laid_out: Path) -> Iterator[None]:
    """Give each test a vault, keys, witness and signing key of its own."""
    settings.LACUNA_DATA_DIR = tmp_path
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    settings.LACUNA_KEYS_DIR = tmp_path / "keys"
    settings.LACUNA_ROOT_KEY = ""
    settings.LACUNA_ROOT_KEY_FILE = tmp_path / "root-key"
    settings.LACUNA_KEY_MIRRORS = []
    settings.LACUNA_ROOT_KEY_FILE_BEFORE = ""
    settings.LACUNA_KEYS = "slots"
    settings.LACUNA_TOKEN_MODULE = ""
    settings.LACUNA_SEVERAL_MACHINES = False
    settings.LACUNA_COOLING_OFF_HOURS = 0
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "signing-key"
    settings.LACUNA_WITNESS_DIR = tmp_path / "witness"
    settings.STATIC_ROOT = laid_out
    settings.WHITENOISE_USE_FINDERS = True
    send_mail_through(settings, MEMORY)
    settings.WHITENOISE_AUTOREFRESH = True  # else each test client would first list every static file
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    configured.reset()
    translation.deactivate()  # a page that another test asked for in Vietnamese leaves its thread speaking it
    yield
    configured.reset()


@pytest.fixture(autouse=True)
def verified_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify the runs that end in this process without a process for each: the same checks, no write allowed.

    Tests marked `processes` start the verifier as a house does.
    """
    if request.node.get_closest_marker("processes") is None:
        monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)
