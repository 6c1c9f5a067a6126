"""Accounts of those who have one: made through the control socket, as `tidegate users` and `tidegate keys` make them.

What the service shall know of them is written into its store before it meets them (histories.py): a rehearsal cannot
wait for days. Without a way to that store the operator vouches for who is established, which leaves them one request at
a time, and others have just come. Made once for each name, when first asked for, or beforehand.
"""

from __future__ import annotations

import asyncio
import re
import time
from hashlib import blake2s
from typing import Any, Final, Protocol

from tidegate.core.accounts import Role
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record
from tidegate.lab.acts import Group, Who
from tidegate.lab.histories import age_s, history_of
from tidegate.lab.live.service import LiveError
from tidegate.ports.standing import StandingStore

PASSWORD: Final = "a tide gate opens by itself"  # noqa: S105 - of accounts that end with the rehearsal
DOMAIN: Final = "lab.example.org"
MOST: Final = 20_000
"""Accounts of one rehearsal."""
_AT_ONCE: Final = 4
_ODD: Final = re.compile(r"[^a-z0-9-]+")


class Control(Protocol):
    """The way into a service that an operator has."""

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Answer what the service says. Raises LiveError."""


class Accounts:
    """Keys by name. Who is asked for twice at once is made once."""

    def __init__(self, control: Control, standings: StandingStore | None = None) -> None:
        """Nobody has an account. `standings` is the service's own store of them."""
        self._control = control
        self._standings = standings
        self._keys: dict[str, asyncio.Future[str]] = {}
        self._emails: dict[str, str] = {}
        self._with_password: dict[str, asyncio.Future[None]] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)

    def email(self, name: str) -> str:
        """The address of somebody's account, as it was given or will be."""
        return self._emails.get(name) or f"{_slug(name)}@{DOMAIN}"

    def key_at_once(self, name: str) -> str | None:
        """Their key if it is there already."""
        found = self._keys.get(name)
        return found.result() if found is not None and found.done() and found.exception() is None else None

    async def key(self, who: Who) -> str:
        """Their key; their account is made first if there is none. Raises LiveError."""
        found = self._keys.get(who.name)
        if found is None:
            if len(self._keys) >= MOST:
                msg = f"more than {MOST} accounts"
                raise LiveError(msg)
            found = self._keys[who.name] = asyncio.ensure_future(self._make(who))
        return await asyncio.shield(found)

    async def give_password(self, who: Who) -> None:
        """Let them sign in with PASSWORD. Raises LiveError."""
        await self.key(who)
        found = self._with_password.get(who.name)
        if found is None:
            found = self._with_password[who.name] = asyncio.ensure_future(self._set_password(self.email(who.name)))
        await asyncio.shield(found)

    async def joined(self, name: str, email: str) -> None:
        """Somebody signed up by themselves: from now on they have a key too. Raises LiveError."""
        self._emails[name] = email
        made = asyncio.ensure_future(self._make_key(email))
        self._keys[name] = made
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        self._with_password[name] = done
        await asyncio.shield(made)

    async def _make(self, who: Who) -> str:
        email, now_s = self.email(who.name), time.time()
        since_s = now_s - age_s(who)
        async with self._turn:
            made = await self._act(act="create_user", email=email, member_since_s=since_s)
            if self._standings is not None:
                principal = UserId(made["id"])
                record = Record(
                    principal=principal,
                    role=Role.USER,
                    created_at_s=now_s,
                    member_since_s=since_s,
                    cohort=principal,
                    is_verified=True,
                    is_self_made=True,
                    history=history_of(who, now_s),
                )
                await self._standings.save([record])
            elif who.group is Group.ESTABLISHED:
                await self._act(act="vouch", email=email)
            return await self._make_key(email)

    async def _make_key(self, email: str) -> str:
        text: str = (await self._act(act="create_key", email=email))["text"]
        return text

    async def _set_password(self, email: str) -> None:
        async with self._turn:
            await self._act(act="set_password", email=email, password=PASSWORD)

    async def _act(self, **act: Any) -> Any:
        return await self._control.ask("POST", "/acts", act)


def _slug(name: str) -> str:
    """A name as the local part of an address; names that differ stay different."""
    plain = _ODD.sub("-", name.lower()).strip("-")[:40]
    return plain if plain == name else f"{plain or 'x'}-{blake2s(name.encode(), digest_size=6).hexdigest()}"
