"""What a certificate says of a night in the demonstration."""

from typing import Any

import pytest

from erasure.certificates.sanitization_fields import demonstration_words


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ({"demonstration": False, "cooling-off-hours": 0, "presence-check-minutes": 0}, ""),
        (
            {"demonstration": True, "cooling-off-hours": 2, "presence-check-minutes": 5},
            "Hours to think it over: 2. Minutes between two presence checks: 5. 0: none.",
        ),
    ],
)
def test_the_demonstration_is_named_with_the_policies_that_applied(
    policies: dict[str, Any], words: str
) -> None:
    start = "Made in the demonstration clinic. " if words else ""
    assert demonstration_words(policies) == start + words
