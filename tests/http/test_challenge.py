"""The scripts that solve challenges are sent as files of ours, and a page with one allows nothing else."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

import tidegate.http.pages
from tests.core.challenge.solved import NOW, begin, issue
from tests.http.conftest import ASSETS, Service
from tidegate.core.challenge.puzzles import PuzzleName
from tidegate.core.challenge.solving import NoChallengeError
from tidegate.http.challenge.scripts import Scripts
from tidegate.http.challenge.wire import ANSWER_MOST, Answered, Offer
from tidegate.http.pages import CHALLENGE_HEADERS, HEADERS

SCRIPTS = Scripts.of(ASSETS)
_TEMPLATES = Path(tidegate.http.pages.__file__).parent / "templates"
_FORM = """{% from "challenge.html" import challenge %}{% call(slot) challenge("join", text, effort, "/s.js") %}
{% if slot == "wait" %}<a href="/wait">wait instead</a>{% else %}<p>without script</p>{% endif %}{% endcall %}"""


async def test_the_scripts_are_sent_to_anybody_and_kept_for_ever(service: Service) -> None:
    visit = await service.ask("GET", SCRIPTS.page_path, key="", headers={"accept-encoding": "gzip"})

    assert visit.status == 200
    assert (
        visit.headers["content-type"] == "text/javascript; charset=utf-8"
        or visit.headers["content-type"] == "text/javascript"
    )
    assert visit.headers["content-encoding"] == "gzip"
    assert "immutable" in visit.headers["cache-control"]
    assert visit.headers["x-content-type-options"] == "nosniff"
    assert (await service.ask("GET", f"/challenge/{SCRIPTS.version}/worker.js")).body == b"3;"


@pytest.mark.parametrize("path", [f"/challenge/{SCRIPTS.version}/other.js", "/challenge/0123456789abcdef/page.js"])
async def test_another_version_is_not_sent_under_this_ones_address(service: Service, path: str) -> None:
    visit = await service.ask("GET", path)

    assert visit.status == 404
    assert "immutable" not in visit.headers.get("cache-control", "")


def test_a_changed_script_has_another_address() -> None:
    changed = {**ASSETS, "challenge/worker.js": ASSETS["assets/chat.js"]}

    assert Scripts.of(changed).page_path != SCRIPTS.page_path


def test_the_policy_allows_scripts_and_workers_of_ours_and_no_code_made_of_text() -> None:
    policy = dict(part.strip().split(" ", 1) for part in CHALLENGE_HEADERS["content-security-policy"].split(";"))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert {name: value for name, value in CHALLENGE_HEADERS.items() if "policy" not in name} == {
        name: value for name, value in HEADERS.items() if "policy" not in name
    }
    assert "script-src" not in HEADERS["content-security-policy"], "other pages run nothing"


def rendered(text: str, effort: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_FORM).render(text=text, effort=effort)


def test_a_form_without_a_challenge_gets_nothing_of_it() -> None:
    assert rendered("", 0).strip() == ""


def test_a_form_with_a_challenge_offers_waiting_and_a_way_without_script() -> None:
    page = rendered('"><script>', 3)

    assert '<a href="/wait">wait instead</a>' in page
    assert "<noscript>\n<p>without script</p></noscript>" in page
    assert "&#34;&gt;&lt;script&gt;" in page
    assert page.count("<script") == 1


# ---------------------------------------------------------------- the words on the wire


def test_an_offer_says_what_its_challenge_says() -> None:
    text, _ = issue(begin(), effort=3)

    assert Offer.of(text) == Offer(challenge=text, puzzle="wagner", effort=3, expires_at=NOW + 600)
    assert Offer.of(issue(begin(), PuzzleName.SHA256)[0]).puzzle == "sha256"
    with pytest.raises(NoChallengeError):
        Offer.of("something else")


@pytest.mark.parametrize(
    ("claimed", "taken"),
    [("1234", 1234), ("", 0), ("-1", 0), ("1e9", 0), ("9" * 400, 0), ("9999999", 3_600_000), ("\u0661", 0)],
)
def test_what_a_form_claims_of_its_time_is_a_number_or_nothing(claimed: str, taken: int) -> None:
    assert Answered.of_fields("c", "a", claimed).solve_ms == taken


def test_what_is_too_long_is_not_read() -> None:
    assert Answered.of_fields("c" * 129, "a" * (ANSWER_MOST + 1), "") == Answered()
    assert Answered.of_fields("c" * 128, "a" * ANSWER_MOST, "").answer
