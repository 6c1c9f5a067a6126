"""Takes a model's thinking out of its answer when the engine has not.

Models that think write `<think>`, the thinking, `</think>` and then the answer.
Only a tag at the very start counts: later ones are text that the model quotes.
Text is held back only while it may still be the beginning of a tag.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.generation.call import Delta

OPENING: Final = "<think>"
CLOSING: Final = "</think>"


class ThinkingSplitter:
    """Feed it the content as it streams; it answers with what is thinking and what is answer."""

    def __init__(self) -> None:
        """Start before the first character."""
        self._held = ""
        self._is_thinking = False
        self._is_settled = False  # From here on everything is answer.
        self._is_after_tag = False  # Models put empty lines between the thinking and the answer.

    def feed(self, content: str) -> Delta:
        """Take the next piece; pieces may cut a tag anywhere."""
        if self._is_settled:
            return Delta(content=self._without_empty_lines(content))
        self._held += content
        if not self._is_thinking:
            start = self._held.lstrip()
            if OPENING.startswith(start):  # Also when nothing but white space came so far.
                if start != OPENING:
                    return Delta()
            elif not start.startswith(OPENING):
                return self._settle(reasoning="", content=self._held)
            self._is_thinking = True
            self._held = start[len(OPENING) :]
        return self._think()

    def _think(self) -> Delta:
        thought, tag, answer = self._held.partition(CLOSING)
        if tag:
            self._is_after_tag = True
            return self._settle(reasoning=thought, content=self._without_empty_lines(answer))
        keep = _longest_tail(self._held)
        cut = len(self._held) - keep
        thought, self._held = self._held[:cut], self._held[cut:]
        return Delta(reasoning=thought)

    def _settle(self, *, reasoning: str, content: str) -> Delta:
        self._is_settled, self._held = True, ""
        return Delta(content=content, reasoning=reasoning)

    def _without_empty_lines(self, answer: str) -> str:
        if self._is_after_tag:
            answer = answer.lstrip("\n")
            self._is_after_tag = not answer
        return answer

    def close(self) -> Delta:
        """Give what was held back when the stream ends in the middle."""
        held, self._held = self._held, ""
        return Delta(reasoning=held) if self._is_thinking and not self._is_settled else Delta(content=held)


def _longest_tail(text: str) -> int:
    """Length of the longest end of `text` that could be the start of the closing tag."""
    for length in range(min(len(text), len(CLOSING) - 1), 0, -1):
        if text.endswith(CLOSING[:length]):
            return length
    return 0
