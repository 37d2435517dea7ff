"""A PKCS#11 token for one test: SoftHSM, in the test's temporary directory."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from patients.vault.token import Token, end_sessions
from tests.packages import COMMAND, find_softhsm

MODULE = find_softhsm()
PIN = "271828"


def new_token(place: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """Create a token under `place`, and make SoftHSM use it in this process and its child processes."""
    if MODULE is None or shutil.which("softhsm2-util") is None:
        pytest.skip(f"SoftHSM is not installed: {COMMAND} installs it")
    tokens = place / "tokens"
    tokens.mkdir(parents=True)
    configuration = place / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    command = ["softhsm2-util", "--init-token", "--free", "--label", "lacuna", "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True, env=os.environ)  # noqa: S603
    end_sessions()
    return Token(MODULE, "lacuna", PIN)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Token]:
    """A new token that this process can use."""
    yield new_token(tmp_path / "token", monkeypatch)
    end_sessions()
