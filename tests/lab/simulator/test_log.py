"""The event log of a rehearsal: what it says, and that it says the same of the same."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec
import pytest

from tests.lab.simulator.towns import a_scenario, bot, person, played, somebody
from tidegate.core.score.observed import Observed
from tidegate.lab.acts import UNREACHED, Ask, Asked, Chat, Group, Hold, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.hearing import Happened
from tidegate.lab.scenario import Attack, Broken, Crowd, Family, Fault, Odd, Oddity, Scenario
from tidegate.lab.simulator import log
from tidegate.lab.simulator.log import EventLog
from tidegate.lab.simulator.serving import BASE_UNIX_S

SCENARIO = a_scenario(
    40,
    crowd=(Crowd(from_s=0.0, until_s=9.0, load=0.5),),
    attack=(Attack(family=Family.SIGNUP_DRIP, from_s=1.0, until_s=9.0, intensity=2.0),),
    fault=(Broken(kind=Fault.ENGINE_SLOW, from_s=2.0, until_s=9.0, factor=0.3),),
    odd=(Odd(kind=Oddity.SHARED_KEY, from_s=3.0, until_s=9.0),),
)
BOT = somebody("b", Group.ATTACKER, family="request_flood")


def rehearsed(seed: int = 1) -> tuple[bytes, bytes]:
    written, truth = BytesIO(), BytesIO()
    scenario = msgspec.structs.replace(SCENARIO, seed=seed)
    people = [person(somebody(f"p{number}"), every_s=4.0, seed=1) for number in range(6)]
    bots = [bot(BOT, every_s=0.3, seed=1), bot(somebody("j", Group.ATTACKER, has_account=False), every_s=1.0, seed=1)]
    played([*people, *bots], scenario, listeners=[EventLog(scenario, written, truth)])
    return written.getvalue(), truth.getvalue()


def lines(written: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in written.splitlines()]


def logged(who: Who, what: Asked, outcome: Outcome) -> list[dict[str, Any]]:
    written = BytesIO()
    EventLog(SCENARIO, written).asked(Ask(who, what), outcome)
    return lines(written.getvalue())


def an_outcome(**given: object) -> Outcome:
    usual: dict[str, object] = {"asked_at_s": 1.0, "ended_at_s": 3.0, "status": 200, "is_complete": True}
    return Outcome(**{**usual, **given})  # type: ignore[arg-type] # test values


def test_the_same_rehearsal_gives_the_same_bytes() -> None:
    """
    Another seed has other fingerprints, too.
    """
    first, again, other = rehearsed(), rehearsed(), rehearsed(seed=2)
    assert first == again
    assert first[0] != other[0]
    assert not {line.get("src") for line in lines(first[0])} & {line.get("src") for line in lines(other[0])} - {None}


def test_it_is_in_order_and_the_score_can_read_it() -> None:
    """
    Times ascend, ids are each one's own, and no name stands in it.
    """
    written, truth = rehearsed()
    had = lines(written)
    assert [line["t"] for line in had] == sorted(line["t"] for line in had)
    assert had[0]["t"] >= BASE_UNIX_S
    assert len({line["id"] for line in had}) == len(had) > 50
    assert {line["kind"] for line in had} == {"request", "engine"}
    assert msgspec.json.decode(b"[" + b",".join(written.splitlines()) + b"]", type=list[Observed])
    assert b'"p0"' not in written + truth
    sample = next(line for line in had if line["kind"] == "engine")
    assert {"healthy", "running", "waiting", "tok_s", "capacity_tok_s", "err_rate"} <= set(sample)


def test_the_truth_tells_every_session_every_account_and_what_went_on() -> None:
    """
    In words of the log's vocabulary, and never in the log itself.
    """
    written, truth = rehearsed()
    had, told = lines(written), lines(truth)
    causes = [(line["cause"], line["t0"] - BASE_UNIX_S, line["intensity"]) for line in told if "cause" in line]
    assert causes == [
        ("organic_surge", 0.0, 0.5),
        ("signup_wave", 1.0, 2.0),
        ("backend_fault", 2.0, 0.7),
        ("organic_surge", 3.0, 1.0),
    ]
    for field in ("sess", "acct"):
        named = {line[field] for line in had if field in line}
        assert named == {line[field] for line in told if field in line}
    assert {line["truth"] for line in told if "truth" in line} == {"human", "bot", "request_flood"}


def test_a_question_s_line_has_its_times_and_tokens() -> None:
    """
    Seconds in the gate, to the first token and at the engine are three numbers.
    """
    chat = Chat(prompt_tokens=9, answer_tokens=5, max_tokens=4, read_s=7.0, retry=1, flags=("jailbreak",))
    outcome = an_outcome(
        prompt_tokens=9, cached_tokens=2, output_tokens=4, queue_s=0.5, first_s=0.7, cost=11.0, standing="established"
    )
    (line,) = logged(somebody("p"), chat, outcome)
    assert (line["route"], line["in_tok"], line["cached_tok"], line["out_tok"], line["max_tok"]) == ("chat", 9, 2, 4, 4)
    assert (line["queue_s"], line["ttft_s"], line["service_s"], line["gap_s"]) == (
        0.5,
        0.2,
        1.5,
        pytest.approx(1.3 / 3, abs=1e-4),
    )
    assert (line["finish"], line["stream"], line["read_s"], line["retry"]) == ("length", True, 7.0, 1)
    assert "flags" not in line
    left = an_outcome(status=0, reason="client_left", is_complete=False, prompt_tokens=9, output_tokens=1, first_s=0.1)
    (line,) = logged(somebody("p"), chat, left)
    assert line["abandoned"] is True
    assert "gap_s" not in line


def test_pages_holds_and_refusals_are_requests() -> None:
    """
    With the reason where there is one.
    """
    (page,) = logged(BOT, Page(path="/a", is_asset=True, referrer="search"), an_outcome())
    assert (page["route"], page["path"], page["referrer"], page["method"]) == ("asset", "/a", "search", "GET")
    (hold,) = logged(BOT, Hold(for_s=9.0), an_outcome(status=408, reason="request_timeout", is_complete=False))
    assert (hold["route"], hold["status"], hold["reason"]) == ("other", 408, "request_timeout")


def test_signing_in_and_up_have_lines_of_their_own() -> None:
    """
    With the work that was asked for, the letter that was read, and how it ended.
    """
    who = somebody("v", Group.ANONYMOUS, has_account=False)
    request, login, challenge = logged(who, SignIn(account="p0", is_known_device=True), an_outcome(effort=40))
    assert (request["route"], login["outcome"], login["known_device"]) == ("login", "ok", True)
    assert (challenge["outcome"], challenge["effort"], challenge["solve_s"]) == ("solved", 40, 4.0)
    _, wrong = logged(who, SignIn(account="p0"), an_outcome(status=401, reason="wrong_credentials", is_complete=False))
    _, busy = logged(who, SignIn(account="p0"), an_outcome(status=429, reason="sign_in_busy", is_complete=False))
    assert (wrong["outcome"], busy["outcome"]) == ("bad_password", "refused")
    assert wrong["user"] == login["user"]
    wish = SignUp(effort_s=None, local_part="aabb", name_family="f")
    _, abandoned, signup = logged(who, wish, an_outcome(status=403, effort=9, is_complete=False))
    assert (abandoned["outcome"], signup["outcome"], signup["name_entropy"]) == ("abandoned", "refused", 1.0)
    assert len(signup["family"]) == 16
    _, waiting = logged(who, SignUp(), an_outcome(is_complete=False, promised_s=60.0))
    assert waiting["outcome"] == "waiting"
    _, made, verify = logged(who, SignUp(reads_mail_after_s=20.0), an_outcome())
    assert (made["outcome"], verify["kind"], verify["latency_s"]) == ("ok", "verify", 20.0)
    _, other = logged(somebody("w"), SignUp(local_part="person77"), an_outcome(status=403, is_complete=False))
    _, another = logged(somebody("x"), SignUp(local_part="person8"), an_outcome(status=403, is_complete=False))
    assert other["family"] == another["family"] != made["family"]


def test_what_moved_is_a_mode_or_a_change_or_has_no_line() -> None:
    """
    As an operator would find it in the service's own log, which has no words for what it suspects.
    """
    written = BytesIO()
    listener = EventLog(SCENARIO, written)
    listener.happened(Happened(at_s=1.0, what="mode", was="open", to="throttled", detail="sign_up_rate,low_headroom"))
    listener.happened(Happened(at_s=2.0, what="change", by="operator", detail="config"))
    listener.happened(Happened(at_s=3.0, what="suspicion", to="sign_in"))
    listener.happened(Happened(at_s=4.0, what="handover", to="on"))
    mode, change = lines(written.getvalue())
    assert (mode["from"], mode["to"], mode["by"]) == ("open", "throttled", "auto")
    assert mode["causes"] == ["sign_up_rate", "low_headroom"]
    assert (change["kind"], change["what"], change["detail"]) == ("change", "config", "config")


def test_a_session_ends_after_half_an_hour_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One that was forgotten comes again as another; so memory stays bounded.
    """

    def sessions(times_s: list[float], others: int = 0) -> int:
        written = BytesIO()
        listener = EventLog(SCENARIO, written)
        for at_s in times_s:
            listener.asked(Ask(BOT, Page()), an_outcome(asked_at_s=at_s, ended_at_s=at_s))
            for number in range(others):
                other = somebody(f"o{number}")
                listener.asked(Ask(other, Page()), an_outcome(asked_at_s=at_s, ended_at_s=at_s))
        src = listener.fingerprint("src", str(BOT.address))
        return len({line["sess"] for line in lines(written.getvalue()) if line["src"] == src})

    assert sessions([0.0, 1_000.0, 2_000.0]) == 1
    assert sessions([0.0, 1_000.0, 3_000.0]) == 2
    monkeypatch.setattr(log, "_MOST_SESSIONS", 2)
    assert sessions([0.0, 1_000.0, 2_000.0], others=3) == 3


def test_a_scenario_without_a_truth_file_writes_none() -> None:
    """
    The log is the same.
    """
    scenario: Scenario = SCENARIO
    with_truth, without = BytesIO(), BytesIO()
    for listener in (EventLog(scenario, with_truth, BytesIO()), EventLog(scenario, without)):
        listener.asked(Ask(BOT, Page()), an_outcome())
    assert with_truth.getvalue() == without.getvalue()


def test_what_a_prompt_truly_is_stands_in_the_truth_alone() -> None:
    """
    Who has only the log has to find out.
    """
    written, truth = BytesIO(), BytesIO()
    listener = EventLog(SCENARIO, written, truth)
    chat = Chat(prompt_tokens=9, answer_tokens=5, flags=("jailbreak",))
    listener.asked(Ask(BOT, chat), an_outcome(prompt_tokens=9))
    (line,) = lines(written.getvalue())
    assert b"jailbreak" not in written.getvalue()
    (told,) = (one for one in lines(truth.getvalue()) if one.get("id") == line["id"])
    assert (told["truth"], told["flags"]) == ("request_flood", ["jailbreak"])


def test_what_a_firewall_dropped_no_service_could_have_logged() -> None:
    """
    Who sent it is told in the truth of what they were seen with, if anything.
    """
    assert logged(BOT, Page(), an_outcome(status=0, reason=UNREACHED, is_complete=False)) == []


def test_whose_account_it_is_the_service_knows_once_they_are_in() -> None:
    """
    That somebody who tries a password has an account would tell people from guessers; and who guessed right is
    in an account of somebody else's, which is no truth about its owner.
    """
    owner, wrong = somebody("p0"), an_outcome(status=401, reason="wrong_credentials", is_complete=False)
    assert all("acct" not in line for line in logged(owner, SignIn(account="p0", is_right=False), wrong))
    _, login = logged(owner, SignIn(account="p0"), an_outcome())
    written, truth = BytesIO(), BytesIO()
    EventLog(SCENARIO, written, truth).asked(Ask(BOT, SignIn(account="p0")), an_outcome())
    assert {line["acct"] for line in lines(written.getvalue())} == {login["acct"]}
    assert not any("acct" in line for line in lines(truth.getvalue()))
