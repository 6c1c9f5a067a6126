"""What the settings say of mail is what is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.core.mail.writing import accounts_letter
from tests.services.mailing import PostRoom
from tidegate.adapters.disk.datadir import DataDir
from tidegate.app.mail import mail_plan, post, smtp_plan
from tidegate.config import Settings, SettingsError
from tidegate.config.mail import MailSettings
from tidegate.core.mail.budgets import MailPlan


@pytest.fixture
def room() -> Iterator[PostRoom]:
    made = PostRoom()
    yield made
    made.close()


def given(**mail: object) -> Settings:
    return Settings(mail=msgspec.convert(mail, MailSettings, dec_hook=lambda kind, value: kind(value)))


def test_without_settings_no_letters_are_sent(room: PostRoom, tmp_path: Path) -> None:
    made = post(Settings(), room.clerk, DataDir(tmp_path), "http://127.0.0.1:8080", room.later.append)

    assert not made.letters.is_on
    assert made.mailbox is None


async def test_letters_are_kept_in_the_data_directory_and_lead_to_this_machine(room: PostRoom, tmp_path: Path) -> None:
    settings = given(delivery="disk")
    made = post(settings, room.clerk, DataDir(tmp_path), "http://127.0.0.1:8080", room.later.append)
    assert made.letters.outbox is not None
    assert made.mailbox is not None
    await made.letters.confirm_sign_up("ana@example.org")
    await room.later.pop()
    assert await made.letters.outbox.step()

    (kept,) = await made.mailbox.letters()
    assert "\nhttp://127.0.0.1:8080/sign-up/confirm/" in kept.text
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 1


async def test_a_server_is_spoken_to_as_the_settings_say(room: PostRoom, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("in and out\n")
    settings = given(
        delivery="smtp",
        smtp_host="127.0.0.1",
        smtp_port=1,
        security="none",
        username="tide",
        password_file=str(password),
        from_address="tide@example.org",
        public_url="https://chat.example.org",
        timeout_s=3,
    )
    plan = smtp_plan(settings.mail)
    assert (plan.host, plan.port, plan.security, plan.timeout_s) == ("127.0.0.1", 1, "none", 3)
    assert (plan.username, plan.password, plan.from_address) == ("tide", "in and out", "tide@example.org")
    made = post(settings, room.clerk, DataDir(tmp_path), "http://127.0.0.1:8080", room.later.append)
    assert made.mailbox is None
    assert made.letters.outbox is not None
    assert made.letters.post(accounts_letter(now=room.clock()))
    await made.letters.outbox.step()

    assert made.letters.outbox.report().trouble == "127.0.0.1:1: nothing listens there"
    password.unlink()
    with pytest.raises(SettingsError, match=r"mail\.password_file"):
        smtp_plan(settings.mail)


def test_every_budget_comes_from_its_setting() -> None:
    plan = MailPlan(
        per_hour=10,
        per_day=20,
        person_per_hour=1,
        person_per_day=2,
        reserve=0.5,
        domain_part=0.25,
        large_part=0.75,
        network_part=0.125,
        large_domains=frozenset({"a.example"}),
    )

    assert mail_plan(given(**{**msgspec.structs.asdict(plan), "large_domains": ["a.example"]}).mail) == plan
    assert mail_plan(MailSettings()) == MailPlan()
