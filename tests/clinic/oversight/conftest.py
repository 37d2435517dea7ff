"""A log of each test's own, as the tests of the log itself have it."""

from tests.clinic.audit.conftest import guarded, house, log_can_be_flushed

__all__ = ["guarded", "house", "log_can_be_flushed"]
