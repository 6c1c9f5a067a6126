"""A letter, before anybody makes a message of it.

It is written once, as paragraphs, and shown twice: as plain text and as simple
HTML that loads nothing. Whatever a stranger typed stands in it escaped, and
never in a header: the recipient is checked by `addresses`, and the subjects are
ours.
"""

from __future__ import annotations

import html
from enum import StrEnum

import msgspec


class LetterKind(StrEnum):
    """What a letter is for."""

    CONFIRM = "confirm"
    HAVE_ACCOUNT = "have_account"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word of the event log
    SIGN_IN_LINK = "sign_in_link"
    NEW_DEVICE = "new_device"
    INVITATION = "invitation"
    TURN_CAME = "turn_came"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to `recipient`, as `addresses.mailable` answered it.

    `label` is what is pressed to go to `url`. After `good_until_s` (Unix s) it would arrive for nothing.
    """

    kind: LetterKind
    recipient: str
    subject: str
    before: tuple[str, ...]
    label: str
    url: str
    after: tuple[str, ...]
    good_until_s: float

    def __repr__(self) -> str:
        """Say what kind it is: the link in it is a secret, and the recipient nobody's business."""
        return f"Letter({self.kind})"

    def text(self) -> str:
        """The letter as plain text; the link has a line of its own, so that no program breaks it."""
        return "\n\n".join((*self.before, f"{self.label}:\n{self.url}", *self.after)) + "\n"

    def page(self) -> str:
        """The letter as HTML, without pictures, scripts or anything that is loaded."""
        before = "".join(f"<p>{html.escape(line)}</p>\n" for line in self.before)
        after = "".join(f'<p style="color:#555">{html.escape(line)}</p>\n' for line in self.after)
        url = html.escape(self.url)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.subject)}</title>'
            '</head>\n<body style="font:16px/1.5 sans-serif;max-width:36em;margin:2em auto;padding:0 1em">\n'
            f'{before}<p><a href="{url}"><strong>{html.escape(self.label)}</strong></a></p>\n'
            f'<p style="color:#555">Or copy this address: {url}</p>\n{after}</body></html>\n'
        )
