"""Fixtures and plugins for the whole suite."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import translation

from clinic.configuration import values
from erasure.jobs import certifying
from patients.vault import configured
from tests.clinic.audit.plugin import log_can_be_flushed
from tests.configuration import TestCache
from tests.database import django_db_setup
from tests.erasure.verification.ended import verify_here
from tests.mailers import MEMORY, send_mail_through
from tests.photos import REPORTED, SHARED, make_photos
from tests.schema import schema
from tests.servers import bucket, nowhere, s3_server

__all__ = ["bucket", "django_db_setup", "log_can_be_flushed", "nowhere", "s3_server", "schema"]
pytest_plugins = ["tests.both_databases", "tests.limits", "tests.order", "tests.report"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(vendor): runs only on this database")
    # erasure/urls.py reads LACUNA_DEMO when it is imported. If a test that sets it were the first to import
    # it, the demonstration's URLs would be there for every later test.
    import_module("clinic.urls")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests marked `only_on` for the other database: the suite's run on that database has them."""
    here, others = [], []
    for item in items:
        elsewhere = any(mark.args != (connection.vendor,) for mark in item.iter_markers("only_on"))
        (others if elsewhere else here).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = here


@pytest.fixture(scope="session")
def made_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of photos that tests.photos generates, once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "photos"
    make_photos(directory)
    return directory


@pytest.fixture(params=["made", *(["shared"] if SHARED.is_dir() else [])])
def sample_photos(request: pytest.FixtureRequest) -> Path:
    """A directory of photos as cameras make them. Runs twice where the real ones are installed: with both."""
    return SHARED if request.param == "shared" else request.getfixturevalue("made_photos")


@pytest.fixture
def reported() -> Path:
    """The directory of small files that reproduce reported bugs; skips the test where it is not installed."""
    if not REPORTED.is_dir():
        pytest.skip("the reported files are not here")
    return REPORTED


@pytest.fixture
def best_photos(request: pytest.FixtureRequest) -> Path:
    """The real photos if installed, else the generated ones: for tests that would take too long with both."""
    return SHARED if SHARED.is_dir() else request.getfixturevalue("made_photos")


@pytest.fixture(scope="session")
def empty_static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty STATIC_ROOT: WhiteNoise needs the folder. Tests use finders and do not run collectstatic."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture(autouse=True)
def isolated_installation(
    tmp_path: Path, settings: django_settings, empty_static_root: Path
) -> Iterator[None]:
    """Give each test its own vault, keys, witness and signing key, all in `tmp_path`."""
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
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "signing-key"
    settings.LACUNA_WITNESS_DIR = tmp_path / "witness"
    settings.STATIC_ROOT = empty_static_root
    settings.WHITENOISE_USE_FINDERS = True
    send_mail_through(settings, MEMORY)
    settings.WHITENOISE_AUTOREFRESH = True  # else each test client would first list every static file
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    values.cache = TestCache()
    configured.reset()
    translation.deactivate()  # an earlier test's Vietnamese page leaves the thread in Vietnamese
    yield
    configured.reset()


@pytest.fixture(autouse=True)
def verified_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify runs in this process instead of a subprocess: the same checks, and no write is allowed.

    Tests marked `processes` start the verifier as a subprocess, as production does.
    """
    if request.node.get_closest_marker("processes") is None:
        monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)
