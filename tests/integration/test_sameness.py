"""On the real engine: the same model is the same in every condition, anything else shows within a minute."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.conftest import Serve
from tests.integration.running import MODEL, environment, run_verb, until
from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.embedded import EmbeddedEngine
from tidegate.adapters.engines.process import CHILD_COMMAND, EngineProcess
from tidegate.core.admission.claims import ASIDE, Place
from tidegate.core.capacity.health import HealthPlan
from tidegate.core.generation.call import Call, ChatCall, Delta, Event, Sampling, Turn
from tidegate.core.models.pin import PROMPTS, Different, Part, Position, Reading, Same, compare, joined, positions
from tidegate.ports.engine import EngineReport, ModelCard

pytestmark = pytest.mark.integration

SLOTS = 4
LOOKS = 16
MINUTE_S = 60.0
CARD = ModelCard(id=MODEL, owned_by="tests", created_s=0, context_tokens=1024, fingerprint="fp_0")

_OTHER_TEMPLATE = """
import xllamacpp
from tidegate.adapters.engines import child
make = xllamacpp.Server
def server(params):
    params.chat_template = {template!r}
    return make(params)
xllamacpp.Server = server
child.main()
"""
_CHATML = (
    "{% for one in messages %}{{ '<|im_start|>' + one['role'] + '\\n' + one['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The model's own template without its default system prompt."""


@contextlib.asynccontextmanager
async def running(
    model: Path, folder: Path, *, template: str | None = None, slots: int = SLOTS, threads: int = 1, batch: int = 6
) -> AsyncIterator[EmbeddedEngine]:
    socket_path = folder / f"{random.getrandbits(32):x}.sock"
    plan = EnginePlan(
        model_path=str(model),
        socket_path=str(socket_path),
        slots=slots,
        aside=1,
        context_tokens=1024,
        threads=threads,
        batch_tokens=batch,
    )
    command = (sys.executable, "-c", _OTHER_TEMPLATE.format(template=template)) if template else CHILD_COMMAND

    def changed(_report: EngineReport, _load_s: float | None) -> None:
        return

    process = EngineProcess(plan, os.environ, command)
    engine = EmbeddedEngine(CARD, process, str(socket_path), HealthPlan(), changed, aside=1)
    await engine.start()
    try:
        await asyncio.wait_for(engine.ready.wait(), MINUTE_S)
        yield engine
    finally:
        await engine.stop()


class WithSystemPrompt:
    """An engine behind somebody who puts a system prompt before every chat."""

    def __init__(self, engine: EmbeddedEngine, prompt: str) -> None:
        self._engine = engine
        self._first = Turn(role="system", content=prompt)

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        if isinstance(call, ChatCall):
            call = msgspec.structs.replace(call, messages=[self._first, *call.messages])
        async with contextlib.aclosing(self._engine.generate(call, place)) as events:
            async for event in events:
                yield event


async def read(engine: Any) -> list[Reading]:
    found = []
    for _, call in PROMPTS:
        pieces: list[Position] = []
        async with contextlib.aclosing(engine.generate(call, ASIDE)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    pieces.extend(positions(event.logprobs))
        found.append(joined(pieces))
    return found


@pytest.fixture(scope="module")
def model(models: Path) -> Path:
    return models / f"{MODEL}.gguf"


@pytest.fixture(scope="module")
def pinned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    """What the model says, read once: every test compares another engine with it."""

    async def look() -> list[Reading]:
        async with running(model, tmp_path_factory.mktemp("pinned")) as engine:
            return await read(engine)

    # A loop of its own, in a thread where none can be running: those of tests end with them.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, look()).result()


def retouched(model: Path, target: Path, part: float) -> Path:
    """The model with the last bit of some bytes of its weights turned: less than another quantisation does."""
    weights = bytearray(model.read_bytes())
    begins, chance = len(weights) * 2 // 5, random.Random(7)  # The header and the vocabulary come first.
    for _ in range(int((len(weights) - begins) * part)):
        weights[chance.randrange(begins, len(weights))] ^= 1
    target.write_bytes(weights)
    return target


async def talk(engine: EmbeddedEngine, number: int) -> None:
    """Keep a caller's place busy: long answers and long prompts in turn."""
    place = Place(number, is_warm=False)
    for turn in range(1_000_000):
        words = f"Tell of ship {number} {turn}. " * (1 if turn % 2 else 60)
        call = ChatCall(messages=[Turn(role="user", content=words)], sampling=Sampling(max_tokens=60))
        async with contextlib.aclosing(engine.generate(call, place)) as events:
            async for _ in events:
                pass


async def test_the_same_model_is_the_same_while_others_use_it_and_after_a_restart(
    model: Path, tmp_path: Path, pinned: list[Reading], measured: Callable[[str], None]
) -> None:
    """No false alarm, and no crowd of prompts keeps a look waiting."""
    verdicts, took = [], []
    async with running(model, tmp_path) as engine:
        callers = [asyncio.create_task(talk(engine, number)) for number in range(SLOTS)]
        for number in range(LOOKS):
            if number == LOOKS // 2:
                for caller in callers:
                    caller.cancel()
                await asyncio.gather(*callers, return_exceptions=True)
            began = time.monotonic()
            verdicts.append(compare(pinned, await read(engine)))
            took.append(time.monotonic() - began)
    busy, idle = sorted(took[: LOOKS // 2]), sorted(took[LOOKS // 2 :])
    farthest = max(one.distance for one in verdicts if isinstance(one, Same))
    measured(
        f"looks at the model: {LOOKS}, none but Same {sum(not isinstance(one, Same) for one in verdicts)}, "
        f"farthest {farthest:.4f}; took {busy[len(busy) // 2]:.1f} s beside {SLOTS} streams "
        f"(longest {busy[-1]:.1f}), alone {idle[len(idle) // 2]:.1f} s"
    )
    assert all(isinstance(one, Same) for one in verdicts)
    assert busy[-1] < 15


@pytest.mark.parametrize(("slots", "threads", "batch"), [(1, 1, 1), (8, 2, 512)])
async def test_the_same_model_is_the_same_under_other_settings(
    model: Path, tmp_path: Path, pinned: list[Reading], slots: int, threads: int, batch: int
) -> None:
    async with running(model, tmp_path, slots=slots, threads=threads, batch=batch) as engine:
        assert isinstance(compare(pinned, await read(engine)), Same)


@pytest.mark.parametrize("template", [_CHATML, "llama2"], ids=["without default prompt", "of another family"])
async def test_another_template_is_different(model: Path, tmp_path: Path, pinned: list[Reading], template: str) -> None:
    async with running(model, tmp_path, template=template) as engine:
        verdict = compare(pinned, await read(engine))

    assert isinstance(verdict, Different)
    assert verdict.part is Part.TEMPLATE


async def test_a_system_prompt_before_ours_is_different(model: Path, tmp_path: Path, pinned: list[Reading]) -> None:
    async with running(model, tmp_path) as engine:
        for prompt in ("Be brief.", "You are a helpful assistant.", "Never speak of the harbour."):
            verdict = compare(pinned, await read(WithSystemPrompt(engine, prompt)))

            assert isinstance(verdict, Different), prompt
            assert verdict.part is Part.TEMPLATE


async def test_other_weights_are_different(
    model: Path, tmp_path: Path, pinned: list[Reading], measured: Callable[[str], None]
) -> None:
    """One byte of ten thousand a little other is enough."""
    async with running(retouched(model, tmp_path / "other.gguf", 0.0001), tmp_path) as engine:
        verdict = compare(pinned, await read(engine))

    assert isinstance(verdict, Different)
    measured(f"looks at the model: last bit turned of one byte in 10,000, distance {verdict.distance:.2f}")
    assert verdict.part is Part.WEIGHTS


def test_a_file_swapped_under_a_running_service_is_told(
    serve: Serve, model: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """A look, and another one to be sure. The service stays ready, and a pin by the operator ends the alarm."""
    served = Path(shutil.copy(model, tmp_path / "served.gguf"))
    own = environment(tmp_path / "models")
    instance = serve("[engine]\nslots = 2\nfingerprint_s = 2", arguments=("--model", str(served)), env=own).ready()
    until(lambda: _told(instance, "model:pinned"), MINUTE_S, "the model is pinned")
    retouched(model, tmp_path / "other.gguf", 0.001).replace(served)
    dead = instance.engine()
    dead.kill()
    until(lambda: instance.is_mended(dead), 30, "the engine serves the other file")

    took_s = until(lambda: _told(instance, "model:changed"), MINUTE_S, "the swap is told")
    measured(f"looks at the model: a swapped file is told {took_s:.0f} s after the engine is ready with it")

    (changed,) = _told(instance, "model:changed")
    assert (changed["kind"], changed["what"], changed["detail"], changed["level"]) == (
        *("change", "model", "weights"),
        "error",
    )
    assert instance.readiness() == 200
    page = instance.ask("/", at=instance.operator).body.decode()
    assert "no longer those of the pinned model" in page
    assert "tidegate_model_different 1.0" in instance.ask("/metrics", at=instance.operator).body.decode()
    pinned = run_verb("models", "pin", "--json", data=instance.data, models=tmp_path / "models", env=own)
    assert pinned.returncode == 0, pinned.stderr
    assert instance.vitals()["sameness"][0]["sameness"]["answering"] == "same"
    assert instance.stop() == 0


def _told(instance: Any, event: str) -> list[dict[str, Any]]:
    return [one for one in instance.events() if one["event"] == event]
