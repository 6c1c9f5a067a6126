"""The mail server's password comes from the settings or from a file, and is never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.config import SettingsError, load_settings
from tidegate.config.mail import MailSettings

HOME = {"HOME": "/people/ana"}
SECRET = "987654321"


def test_a_password_in_a_file_counts_before_the_one_in_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\r\n")

    assert MailSettings(password="other", password_file=path).password_of() == SECRET
    assert MailSettings(password="other").password_of() == "other"
    assert MailSettings().password_of() is None


@pytest.mark.parametrize("content", [b"", b"\n", b"987654321\nmore", b"\xff987654321", b"9" * 5000])
def test_a_file_that_holds_something_else_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="expected one line, the password") as refused:
        MailSettings(password_file=path).password_of()
    assert SECRET not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing': cannot be read"):
        MailSettings(password_file=tmp_path / "missing").password_of()


def test_a_password_of_the_wrong_kind_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(None, HOME, {"mail.password": [SECRET]})
    assert SECRET not in str(refused.value)


def test_a_password_file_is_found_from_home() -> None:
    settings = load_settings(None, HOME, {"mail.password_file": "~/credential"})

    assert settings.mail.password_file == Path("/people/ana/credential")
