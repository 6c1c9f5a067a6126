"""Passes requests on: judged by the gate before, admitted by the scheduler here, answered by a server behind.

A plain ASGI application, for it is on the way of every request: no route is
searched for and nothing is decoded that need not be. Nothing of an answer is sent
before a place was found and the server has begun; from then on its bytes go on as
they come, and a stream that is ended by rule ends with an error event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from tidegate.core.admission.claims import Claim, Place
from tidegate.core.events import RouteKind
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import STRANGERS, Standing
from tidegate.http import bodies
from tidegate.http.exchange import CALLER, Caller, Exchange
from tidegate.http.failing import refusal_of, refusing
from tidegate.http.gate.callers import CallerKeys, alone
from tidegate.http.proxy import asking
from tidegate.http.proxy.addresses import Addresses
from tidegate.http.proxy.dialects import dialect_of
from tidegate.http.proxy.sending import Heard, Sending, Watch
from tidegate.http.proxy.sharing import Shared
from tidegate.http.refusals import Refusal
from tidegate.ports.upstream import Ask, Head, Headers, Upstreams
from tidegate.services.admission import Admission
from tidegate.services.generate import Generation
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.line import QUIET_S, UNTOLD_S
from tidegate.services.passing import Guess, Passage, Passing, Unheard
from tidegate.services.proven import Proven, Whose
from tidegate.services.timing import Timing

_ACCEPTED: Final = range(200, 300)
_UNAUTHORIZED: Final = 401
_SAYING_WHO: Final = frozenset(
    {
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"),
        *(b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"via"),
        *(b"x-remote-user", b"remote-user", b"x-forwarded-user", b"x-forwarded-email", b"x-auth-request-user"),
        *(b"x-http-method-override", b"x-original-url", b"x-rewrite-url"),
    }
)
_USUAL: Final = frozenset({b"keep-alive", b"close"})
_NO_PLACE: Final = Place(0, is_warm=False)
MOST_READ_AT_ONCE: Final = 256
"""Requests that ask nothing of the engine, passed on at the same time."""


class Rejecting(msgspec.Struct, frozen=True):
    """Whom to tell that a key was turned down: `dead` its digest, `guessed` the address that it came from."""

    dead: Callable[[bytes], None]
    guessed: Callable[[str], None]


class Proxy:
    """The application behind the gate. `ticks` tells monotonic seconds."""

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        addresses: Addresses,
        keys: CallerKeys,
        proven: Proven,
        admission: Admission,
        lifecycle: Lifecycle,
        rejecting: Rejecting,
        fingerprint: Callable[[str], Fingerprint],
        max_body_bytes: int,
        strangers_body_bytes: int,
        guess: Guess,
        passes_keys: bool = True,
    ) -> None:
        """`strangers_body_bytes` bounds what strangers' requests hold together while they wait and are answered.

        `guess` tells how far an answer should be that says nothing before its end.

        `passes_keys`: the server behind judges the callers' keys; otherwise the gate has done so.
        """
        self._upstreams = upstreams
        self._addresses = addresses
        self._keys = keys
        self._proven = proven
        self._admission = admission
        self._lifecycle = lifecycle
        self._rejecting = rejecting
        self._fingerprint = fingerprint
        self._max_body_bytes = max_body_bytes
        self._unheard = Unheard(guess, admission.clock)
        self._passes_keys = passes_keys
        self._bodies = Shared(strangers_body_bytes)
        self._reading = Shared(MOST_READ_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises a Refusal."""
        raw = _raw(scope)
        method: str = scope["method"]
        entry = self._addresses.find(method.encode(), raw)
        exchange: Exchange = scope["state"]["exchange"]
        if not Addresses.is_served(entry):
            self._nothing_here(raw)
        body = await bodies.read_from(scope, receive, self._max_body_bytes)
        if method in {"GET", "HEAD"}:
            body = b""  # It means nothing (RFC 9110 section 9.3.1), but what is not read is in the way of what comes.
        query: bytes = scope["query_string"]
        target = (raw + b"?" + query if query else raw).decode("latin-1")
        headers = alone(_for_the_next_hop(scope))
        if entry.lane == "inference":
            exchange.route = RouteKind.CHAT
            await self._ask(scope, _caller(scope, receive), send, target, headers, body)
        else:
            ask = Ask(method=method, target=target, headers=headers, body=body, is_answer=False)
            await self._read(scope, _caller(scope, receive), send, ask)

    def _nothing_here(self, raw: bytes) -> None:
        methods = self._addresses.methods(raw)
        if methods:
            allowed = ", ".join(methods)
            raise Refusal(Reason.METHOD_NOT_ALLOWED, f"This address takes {allowed}.", headers={"allow": allowed})
        raise Refusal(
            Reason.ROUTE_NOT_FOUND, f"Nothing at {raw[:200].decode('latin-1')!r} is passed on to the model's server."
        )

    # ------------------------------------------------------------ what asks the engine

    async def _ask(self, scope: Scope, caller: Caller, send: Send, target: str, headers: Headers, body: bytes) -> None:
        exchange: Exchange = scope["state"]["exchange"]
        principal = self._keys.principal(headers)
        asked = asking.read(scope["path"], body, _content_type(headers))
        exchange.is_stream, exchange.max_tokens = asked.is_stream, asked.max_tokens
        ask = Ask(
            method=scope["method"],
            target=target,
            headers=headers,
            body=asked.body,
            model=asked.model,
            is_stream=asked.is_stream,
            hides_usage=asked.hides_usage,
            tokens=self._admission.scheduler.cost.prompt_tokens(asked.prompt_bytes),
        )
        whose = self._whose(exchange, principal)
        is_stranger = whose.standing in STRANGERS
        if is_stranger and not self._bodies.take(whose.cohort, len(body)):
            sentence = "Too much is waiting to be read already. Please try again in a few seconds."
            raise Refusal(Reason.SERVER_IS_OVERLOADED, sentence, retry_after_s=5.0)
        try:
            passing, passage = self._enter(exchange, whose, ask, asked)
            dialect = dialect_of(scope["path"])
            sending = Sending(exchange, send, lambda head: self._judge(scope, principal, head), dialect)
            try:
                if not asked.is_stream:
                    self._unheard.add(passage, passing, asked.output_tokens)
                with Watch(caller, self._lifecycle) as watch:
                    await sending.run(passing, watch)
            except Exception as error:
                refusal = refusal_of(error)
                if refusal is None:
                    raise
                await sending.end(refusal)
            finally:
                self._unheard.discard(passage)
                await passing.close()
        finally:
            if is_stranger:
                self._bodies.give_back(whose.cohort, len(body))

    def _enter(self, exchange: Exchange, whose: Whose, ask: Ask, asked: asking.Asked) -> tuple[Passing, Passage]:
        """Take a place in line. Raises a Refusal."""
        exchange.account = self._fingerprint(whose.owner)
        admission = self._admission
        patience = admission.patience
        claim = Claim(
            principal=whose.owner,
            standing=whose.standing,
            cohort=whose.cohort,
            usual_in_flight=whose.usual_in_flight,
            prompt_bytes=asked.prompt_bytes,
            output_tokens=asked.output_tokens,
            patience_s=patience.streamed_s if asked.is_stream else patience.whole_s,
        )
        timing = exchange.timing = Timing(standing=whose.standing)
        try:
            ticket = admission.take(claim)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error
        timing.standing = admission.judged(ticket)
        quiet_s = QUIET_S if asked.is_told else UNTOLD_S
        passage = Passage(timing, ask, admission.clock)
        return Generation(self._upstreams, admission, ticket, ask, passage, quiet_s=quiet_s), passage

    def _whose(self, exchange: Exchange, principal: UserId | None) -> Whose:
        """Whose counters a request is charged to, and how well they are known."""
        if principal is not None:
            known = self._proven.whose(principal)
            if known is not None:
                return known
        net = f"net:{exchange.network}" if exchange.network else "net:none"
        return Whose(Standing.VISITOR, net, 1, principal or f"at:{exchange.source}")

    def _judge(self, scope: Scope, principal: UserId | None, head: Head) -> None:
        """Learn from the server's answer whether it knows the caller."""
        if not self._passes_keys:
            if head.status == _UNAUTHORIZED:
                # Said of the gate's key, to which the caller can do nothing.
                raise Refusal(Reason.ENGINE_FAILED, "The server of the model does not know this gate any more.")
            return
        exchange: Exchange = scope["state"]["exchange"]
        tells = self._addresses.tells(_raw(scope))
        if head.status in _ACCEPTED:
            if principal is not None and tells:
                self._proven.accepted(principal, exchange.network)
            elif tells:
                self._keys.let_keyless_in()
        elif head.status == _UNAUTHORIZED:
            if principal is None:
                if tells:
                    self._keys.turned_keyless_away()
                return
            self._rejecting.dead(principal.entropy)
            client = scope.get("client")
            if client is not None and not self._proven.is_known(principal):
                self._rejecting.guessed(client[0])

    # ------------------------------------------------------------ what only reads

    async def _read(self, scope: Scope, caller: Caller, send: Send, ask: Ask) -> None:
        """Pass something on that asks nothing of the engine, a bounded number at a time."""
        exchange: Exchange = scope["state"]["exchange"]
        principal = self._keys.principal(ask.headers)
        cohort = self._whose(exchange, principal).cohort
        if not self._reading.take(cohort, 1):
            raise Refusal(
                Reason.SERVER_IS_OVERLOADED, "Too many are reading at this moment. Please try again.", retry_after_s=1.0
            )
        sending = Sending(exchange, send, lambda head: self._judge(scope, principal, head))
        try:
            with refusing(), Watch(caller, self._lifecycle) as watch:
                await sending.run(self._upstreams.generate(ask, _NO_PLACE), watch)
        except Refusal as refusal:
            await sending.end(refusal)
        finally:
            self._reading.give_back(cohort, 1)


def _caller(scope: Scope, receive: Receive) -> Caller:
    """Whoever asks: told by our own server's connection, and else by `receive`."""
    found: Caller | None = scope["state"].get(CALLER)
    return Heard(receive) if found is None else found


def _content_type(headers: Headers) -> str:
    for name, value in headers:
        if name == b"content-type":
            return value.decode("latin-1")
    return ""


def _raw(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw


def _for_the_next_hop(scope: Scope) -> Headers:
    """The caller's headers, and whose they are: what they say of that themselves counts for nothing behind the gate."""
    # An underscore is read as a hyphen by some servers.
    named = _named(scope["headers"])
    fields = [field for field in scope["headers"] if field[0] not in _SAYING_WHO and b"_" not in field[0]]
    if named:
        # Taken out here: below they would take what the gate says of its callers with them.
        fields = [field for field in fields if field[0] not in named and field[0] != b"connection"]
    client = scope.get("client")
    if client is not None:
        fields.append((b"x-forwarded-for", client[0].encode("ascii")))
    fields.append((b"x-forwarded-proto", scope.get("scheme", "http").encode("ascii")))
    return tuple(fields)


def _named(headers: Headers) -> frozenset[bytes]:
    """What a caller says is for this hop only (RFC 9110 section 7.6.1), if it is anything but the usual."""
    named: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name == b"connection" and value.lower() not in _USUAL:
            named |= {word.strip() for word in value.lower().split(b",")}
    return named
