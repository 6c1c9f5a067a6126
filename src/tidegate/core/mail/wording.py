"""What each letter says: short, plain, and what to do when it was not asked for."""

from __future__ import annotations

from typing import Final

from tidegate.core.mail.letter import Letter, LetterKind
from tidegate.core.mail.links import LASTS_S, Purpose

_NOT_YOU: Final = "If this was not you, you need not do anything: without the link nothing happens."
_DAY_S: Final = 86400.0
_NOTICE_LASTS_S: Final = 2 * _DAY_S


def confirm(recipient: str, url: str, site: str, now: float) -> Letter:
    """To somebody who wants an account."""
    return Letter(
        kind=LetterKind.CONFIRM,
        recipient=recipient,
        subject="Finish creating your account",
        before=("Hello,", f"somebody, probably you, asked for an account at {site} with this address."),
        label="Choose a password and finish",
        url=url,
        after=("The link works for 24 hours, on any device.", _NOT_YOU),
        good_until_s=now + LASTS_S[Purpose.CONFIRM],
    )


def have_account(recipient: str, url: str, site: str, now: float) -> Letter:
    """To somebody who has an account, when an account is asked for with their address."""
    return Letter(
        kind=LetterKind.HAVE_ACCOUNT,
        recipient=recipient,
        subject="You have an account already",
        before=(
            "Hello,",
            f"somebody, probably you, asked for an account at {site} with this address. You have one already.",
        ),
        label="Sign in, or choose a new password there",
        url=url,
        after=("If this was not you, you need not do anything: your account is as it was.",),
        good_until_s=now + LASTS_S[Purpose.CONFIRM],
    )


def reset(recipient: str, url: str, site: str, now: float, lasts_s: float = LASTS_S[Purpose.RESET]) -> Letter:
    """To somebody who forgot their password."""
    hours = max(1, int(lasts_s / 3600.0))
    lasts = "one hour" if hours == 1 else f"{hours} hours. Keep it: until then no other letter of this kind is sent"
    return Letter(
        kind=LetterKind.RESET,
        recipient=recipient,
        subject="Choose a new password",
        before=("Hello,", f"somebody, probably you, asked for a new password for your account at {site}."),
        label="Choose a new password",
        url=url,
        after=(f"The link works once, for {lasts}. Your account is signed out everywhere when you use it.", _NOT_YOU),
        good_until_s=now + lasts_s,
    )


def password_changed(recipient: str, url: str, site: str, now: float) -> Letter:
    """To somebody whose password was chosen anew, by a letter or by who knew the old one."""
    return Letter(
        kind=LetterKind.PASSWORD_CHANGED,
        recipient=recipient,
        subject="Your password was changed",
        before=(
            "Hello,",
            f"the password of your account at {site} was changed, and it was signed out everywhere else.",
        ),
        label="It was not me: ask for a new password",
        url=url,
        after=("If it was you, you need not do anything.",),
        good_until_s=now + _NOTICE_LASTS_S,
    )


def sign_in_link(recipient: str, url: str, site: str, now: float) -> Letter:
    """To somebody who signs in from where nobody knows them, while many strangers try to."""
    return Letter(
        kind=LetterKind.SIGN_IN_LINK,
        recipient=recipient,
        subject="Sign in with this link",
        before=("Hello,", f"somebody, probably you, wants to sign in to your account at {site}."),
        label="Sign in",
        url=url,
        after=("The link works once, for 15 minutes.", _NOT_YOU),
        good_until_s=now + LASTS_S[Purpose.SIGN_IN],
    )


def new_device(recipient: str, url: str, site: str, at: str, now: float) -> Letter:
    """To somebody whose account was signed in to from a device that was not seen with it before."""
    return Letter(
        kind=LetterKind.NEW_DEVICE,
        recipient=recipient,
        subject="Somebody signed in to your account on a new device",
        before=(
            "Hello,",
            (
                f"on {at} somebody signed in to your account at {site} with its password, on a device or in a browser "
                "that had not been seen with it before. Was this you?"
            ),
        ),
        label="It was not me: sign out everywhere",
        url=url,
        after=(
            "If it was you, you need not do anything. If not, use the link, and then choose a new password.",
            "The link works for a week.",
        ),
        good_until_s=now + _NOTICE_LASTS_S,
    )


def invitation(recipient: str, url: str, site: str, until: str, now: float, good_until_s: float) -> Letter:
    """To somebody who was invited."""
    return Letter(
        kind=LetterKind.INVITATION,
        recipient=recipient,
        subject="You are invited",
        before=("Hello,", f"you are invited to have an account at {site}."),
        label="Create your account",
        url=url,
        after=(f"The link works once, until {until}.", "If you do not want an account, you need not do anything."),
        good_until_s=max(now, good_until_s),
    )


def turn_came(recipient: str, url: str, site: str, until: str, now: float, good_until_s: float) -> Letter:
    """To somebody who left the waiting room and their address in it."""
    return Letter(
        kind=LetterKind.TURN_CAME,
        recipient=recipient,
        subject="It is your turn",
        before=(
            "Hello,",
            (
                f"you waited for an account at {site} and asked to be written to. Thank you for your patience: it is "
                "your turn now."
            ),
        ),
        label="Create your account",
        url=url,
        after=(f"Your place is kept until {until}.", "If you asked for nothing, you need not do anything."),
        good_until_s=max(now, good_until_s),
    )
