"""What every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.utils import translation

from erasure.runs import finishing
from patients.vault import configured
from tests.clinic.audit.plugin import log_can_be_flushed
from tests.database import django_db_setup
from tests.erasure.verification.ended import verify_here
from tests.servers import bucket, s3_server

__all__ = ["bucket", "django_db_setup", "log_can_be_flushed", "s3_server"]

pytest_plugins = ["tests.both_databases", "tests.limits", "tests.order"]

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples" / "photos"


@pytest.fixture
def sample_photos() -> Path:
    """Real photos from real cameras; they lie beside the repository, not in it."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no sample photos at {SAMPLES.parent.parent}")
    return SAMPLES


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
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
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
        monkeypatch.setattr(finishing, "verify_apart", verify_here)
