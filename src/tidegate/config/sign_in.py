"""The settings of signing in, as `settings.py` has all others."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Slips = Annotated[int, Meta(ge=1, le=1000)]


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people sign in while strangers guess passwords. A device that an account has signed in on goes first."""

    device_days: Annotated[
        float,
        Meta(ge=1, le=400, description="How long a device is remembered after its account has last signed in on it."),
    ] = 180.0
    device_rate: Annotated[
        float,
        Meta(
            ge=0.001,
            le=1000,
            description="Passwords a second that one such device may send; four times that all of one account's.",
        ),
    ] = 0.2
    device_burst: Annotated[float, Meta(ge=1, le=10_000, description="And how many at once.")] = 10.0
    strangers_part: Annotated[
        float,
        Meta(
            ge=0.01,
            le=1.0,
            description="Part of one processor that strangers' passwords may take while strangers are guessing.",
        ),
    ] = 0.25
    account_slips: Annotated[
        Slips,
        Meta(
            description="Wrong passwords of strangers for one address that are overlooked; beyond, the next stranger "
            "who tries that address has to solve a challenge, where there is one. One is forgotten each minute."
        ),
    ] = 10
    address_slips: Annotated[
        Slips, Meta(description="The same for wrong passwords from one address, whatever account they are for.")
    ] = 10
