"""What a scenario that somebody sent cannot do in the live world."""

from __future__ import annotations

import pytest

from tidegate.lab.live import faults
from tidegate.lab.live.reach import check_reach
from tidegate.lab.live.service import LiveError
from tidegate.lab.scenario import parse

HEAD = 'version = 1\nname = "one"\ntitle = "x"\nabout = "x"\nduration_s = 60\nworlds = ["live"]\n'
FAULT = '[[fault]]\nkind = "{}"\nfrom_s = {}\nuntil_s = {}\n'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[settings.mail]\ndelivery = "smtp"\nsmtp_host = "mx.example.com"\n', "settings.mail.smtp_host"),
        ('[settings]\n"mail.smtp_host" = "mx.example.com"\n', "settings.mail.smtp_host"),
        ('[settings.firewall]\nmap_file = "/etc/passwd"\n', "settings.firewall.map_file"),
        ('[[settings.engines]]\nurl = "http://example.com"\n', "settings.engines"),
        ('[settings.models]\nhub_endpoint = "http://example.com"\n', "settings.models"),
        ('[settings.engine]\nmodel = "hf:a/b/c.gguf"\n', "settings.engine.model"),
        (FAULT.format("configuration", 1, 2) + '[fault.settings.server]\nhost = "0.0.0.0"\n', "fault.settings.server"),
        ("[people]\nestablished = 15000\nnew = 6000\n", "people.established"),
    ],
)
def test_a_scenario_does_not_reach_out_of_its_rehearsal(text: str, field: str) -> None:
    with pytest.raises(LiveError, match=f"one: {field}:"):
        check_reach(parse(HEAD + text))


def test_what_decides_may_be_set() -> None:
    check_reach(
        parse(HEAD + '[settings]\ndebug = 1\n[settings.gate]\nburst = 5\n[settings.engine]\nmodel = "a-model"\n')
    )


@pytest.mark.parametrize("kind", ["engine_slow", "configuration"])
def test_two_faults_of_a_kind_at_once_are_refused(kind: str) -> None:
    """
    The end of the one would heal the other.
    """
    one, later, beside = FAULT.format(kind, 1, 9), FAULT.format(kind, 9, 20), FAULT.format(kind, 5, 12)

    faults.check(parse(HEAD + one + later))
    with pytest.raises(LiveError, match=r"fault\[1\].from_s"):
        faults.check(parse(HEAD + one + beside))
