"""Upstreams that play what a test has written for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import MemberReport
from tidegate.ports.upstream import Ask, Head, Piece
from tidegate.testing.engine import Hold

PassedStep = Piece | BaseException | Hold
"""What a script is made of: a piece is given, an exception raised, a hold waited at."""


def passing(
    *data: bytes,
    status: int = 200,
    kind: bytes = b"text/event-stream",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    attempts: int = 1,
) -> list[PassedStep]:
    """Script a whole answer, a token to each piece of data."""
    head = Head(status=status, headers=((b"content-type", kind), *headers), attempts=attempts)
    tokens = 1 if kind == b"text/event-stream" else 0
    first, *others = data or (b"",)
    return [
        Piece(data=first, tokens=tokens, head=head),
        *(Piece(data=piece, tokens=tokens) for piece in others),
        Piece(is_last=True),
    ]


class FakeUpstreams:
    """Plays `script` for every request; `running` tells whether each was let go of. `asks` holds all of them."""

    def __init__(self, script: Sequence[PassedStep] = ()) -> None:
        """Ready from the start."""
        self.script: Sequence[PassedStep] = script or passing(b"data: {}\n\n")
        self.asks: list[Ask] = []
        self.running = 0

    def places(self, model: str) -> int:
        """As many as anybody asks for."""
        del model
        return 64

    def report(self) -> list[MemberReport]:
        """No server at all."""
        return []

    async def generate(self, ask: Ask, place: Place) -> AsyncGenerator[Piece, None]:
        """Play the script as it is when the request comes."""
        del place
        self.asks.append(ask)
        self.running += 1
        try:
            for step in tuple(self.script):
                match step:
                    case Hold():
                        step.reached.set()
                        await step.let.wait()
                    case BaseException():
                        raise step
                    case _:
                        yield step
        finally:
            self.running -= 1
