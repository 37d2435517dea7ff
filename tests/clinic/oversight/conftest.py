"""The same fixtures as for tests/clinic/audit: each test has a log of its own."""

from tests.clinic.audit.conftest import guarded, key_directory, log_can_be_flushed

__all__ = ["guarded", "key_directory", "log_can_be_flushed"]
