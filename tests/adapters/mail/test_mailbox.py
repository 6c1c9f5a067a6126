"""A mailbox on disk is bounded, private, and says when it cannot be written."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from tests.core.mail.writing import strangers_letter
from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.ports.mail import LetterRefusedError, MailUnavailableError


async def test_only_the_newest_letters_are_kept(tmp_path: Path) -> None:
    mailbox = DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide", most=3)
    for number in range(5):
        await mailbox.send(strangers_letter(f"p{number}@example.org"))

    assert [letter.recipient for letter in await mailbox.letters()] == [f"p{n}@example.org" for n in (4, 3, 2)]
    assert len(list((tmp_path / "mail").iterdir())) == 3
    assert await mailbox.names() == [letter.name for letter in await mailbox.letters()]


async def test_letters_hold_links_that_work_so_nobody_else_reads_them(tmp_path: Path) -> None:
    await DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide").send(strangers_letter())
    (path,) = (tmp_path / "mail").iterdir()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_is_no_letter_is_not_shown_and_a_letter_of_another_form_is_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "notes.eml").write_text("mine")
    (folder / f"{'1' * 20}-{'a' * 8}.eml").write_bytes(b"Content-Type: image/png\n\n\xff\xfe")

    (found,) = await DiskMailbox(folder, "tide@tide.example", "Tide").letters()
    assert (found.recipient, found.subject, found.text) == ("", "", "")


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    mailbox = DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide")

    with pytest.raises(MailUnavailableError, match="cannot be written"):
        await mailbox.send(strangers_letter())


@pytest.mark.parametrize("recipient", ["ana@example.org\nBcc: bob@example.org", "ana", "a b@example.org", "", "@"])
async def test_a_recipient_that_would_be_a_header_more_is_refused(tmp_path: Path, recipient: str) -> None:
    mailbox = DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide")

    with pytest.raises(LetterRefusedError):
        await mailbox.send(msgspec.structs.replace(strangers_letter(), recipient=recipient))
