"""The settings of how strangers become people who are known, as `settings.py` has all others."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tidegate.core.quotas.budget import MOST_TOKENS


class RegistrationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may join, by whose word, and what a new account may do at first. Can be changed while the service runs."""

    max_automatic_mode: Annotated[
        Literal["open", "throttled", "waiting_room", "invite", "closed"],
        Meta(
            description="How far registration closes by itself when more come than is usual; an operator's word goes "
            "further. open: never."
        ),
    ] = "closed"
    dry_run: Annotated[
        bool,
        Meta(
            description="Write down how registration would close by itself, and leave it open. Sign-ups that come "
            "faster than in calm are asked for work all the same."
        ),
    ] = False
    calm_per_min: Annotated[
        float,
        Meta(
            ge=0.1,
            le=100_000,
            description="Sign-ups a minute at which nobody is asked for anything; beyond it, for work or a wait, until "
            "two minutes have passed without so many.",
        ),
    ] = 6.0
    calm_at_once: Annotated[
        float, Meta(ge=1, le=100_000, description="How many of them may come at once after a rest.")
    ] = 5.0
    let_in_per_min: Annotated[
        float,
        Meta(
            ge=0.1,
            le=100_000,
            description="New people that are let in a minute while it is not calm, whoever works how much; the others "
            "wait in line.",
        ),
    ] = 30.0
    probation_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_TOKENS,
            description="Tokens that an account which somebody made themselves may use on its first day, prompts and "
            "answers; half of it where no mail proved the address. It grows with age and use, and ends for members. "
            "0 is no such limit.",
        ),
    ] = 200_000
    probation_days: Annotated[
        float, Meta(gt=0, le=400, description="How long probation lasts at the least, in days.")
    ] = 3.0
    invites_per_month: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Invitations that an established account may make in 30 days; operators make any number, "
            "newcomers and members none. Each invited account with a finding against it takes one away.",
        ),
    ] = 3
    invite_days: Annotated[
        float, Meta(gt=0, le=90, description="How long an invitation can be used, in days; once, by one account.")
    ] = 7.0
    most_requests: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="People at once who asked to be let in, or left an address to be told when it is their turn.",
        ),
    ] = 10_000
    requests_per_network: Annotated[
        int,
        Meta(
            ge=1, le=10_000, description="How many such requests a day are taken from one network (IPv4 /24, IPv6 /48)."
        ),
    ] = 20
    request_days: Annotated[float, Meta(gt=0, le=400, description="How long such a request is kept, in days.")] = 30.0
