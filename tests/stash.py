"""What a plugin and a fixture of the tests tell each other in `pytest.Config.stash`."""

import pytest

HAS_DATABASE = pytest.StashKey[bool]()
"""Whether this process has its database. tests/database.py sets it, and tests/limits.py reads it."""
