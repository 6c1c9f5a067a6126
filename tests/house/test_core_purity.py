"""The core is told, it does not ask. What imports cannot show is watched here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.purity import offences
from tests.house.tree import PACKAGE, ROOT, files, shown

CORE = PACKAGE / "core"
CORE_FILES = [path for path in files(CORE) if path.suffix == ".py"]


def test_the_core_neither_awaits_nor_reaches_for_the_world() -> None:
    said = {shown(path): offences(path.read_text()) for path in CORE_FILES}

    assert not {path: why for path, why in said.items() if why}


@pytest.mark.parametrize(
    "text",
    [
        "async def decide(): ...",
        "def f():\n    return [x async for x in y]",
        "print(1)",
        "open('a')",
        "input()",
        "hash('a')",
        "key = hash",
        "id(x)",
        "eval('1')",
        "exec('1')",
        "compile('1', '', 'eval')",
        "breakpoint()",
        "__import__('os')",
        "def f():\n    import aiohttp",
        "from sqlalchemy.orm import Session",
    ],
)
def test_a_core_that_reaches_for_the_world_is_refused(text: str) -> None:
    assert offences(text)


@pytest.mark.parametrize(
    "text",
    [
        "import msgspec\nfrom hashlib import blake2s\nfrom tidegate.core.identifiers import UserId",
        "class User:\n    id: str\n\ndef name(user):\n    return user.id",
        "def f(wall):\n    return wall.open()",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert offences(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)\n",
        "from datetime import date\n\nTODAY = date.today()\n",
        "from uuid import uuid4\n\nNAME = uuid4()\n",
    ],
)
def test_a_clock_or_dice_hidden_in_a_call_is_refused_by_the_linter(text: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251"]
    planted = str(CORE / "planted.py")

    done = subprocess.run(
        [*command, "--stdin-filename", planted, "-"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "The core " in done.stdout
