"""What a user agent admits to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.score.agents import LONGEST_FAMILY, AgentClass, class_of, family

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "name", "kind"),
    [
        (CHROME, "chrome", AgentClass.BROWSER),
        (f"{CHROME} Edg/131.0", "edge", AgentClass.BROWSER),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/99.0 Mobile Safari/537.36", "chrome", AgentClass.BROWSER),
        ("Mozilla/5.0 (X11; rv:130.0) Gecko/20100101 Firefox/130.0", "firefox", AgentClass.BROWSER),
        (CHROME.replace("Chrome", "HeadlessChrome"), "headless-chrome", AgentClass.HEADLESS),
        ("PhantomJS/2.1", "headless", AgentClass.HEADLESS),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "googlebot", AgentClass.DECLARED),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0)",
            "chatgpt-user",
            AgentClass.DECLARED,
        ),
        ("curl/8.11.0", "curl", AgentClass.TOOL),
        ("python-requests/2.32", "python-requests", AgentClass.TOOL),
        ("OpenAI/Python 1.55.0", "openai-python", AgentClass.TOOL),
        ("", "", AgentClass.MISSING),
        ("-", "", AgentClass.MISSING),
        ("NewsReader/3.1 (sunshine)", "newsreader", AgentClass.OTHER),
        ("!!!", "other", AgentClass.OTHER),
    ],
)
def test_a_name_is_taken_for_what_it_admits(agent: str, name: str, kind: AgentClass) -> None:
    assert (family(agent), class_of(agent)) == (name, kind)


@pytest.mark.parametrize(
    "name", ["chrome", "curl", "python-openai", "googlebot", "headless-chrome", "firefox", "safari", "edge"]
)
def test_the_short_names_of_the_event_log_are_read_like_the_long_ones(name: str) -> None:
    assert family(name) == name
    assert class_of(name) == class_of(family(name))


@given(st.text(max_size=300))
def test_a_stranger_cannot_write_what_they_like_into_a_log_by_their_agent(agent: str) -> None:
    name = family(agent)
    assert len(name) <= LONGEST_FAMILY
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def test_an_endless_name_costs_no_more_than_a_long_one() -> None:
    assert family("bo" * 500_000 + "bot") == family("bo" * 600)
    assert class_of("x" * 2000 + " Googlebot/2.1") is AgentClass.OTHER
