"""How each reason is said over HTTP: status, error type, whether trying again helps.

The body is OpenAI's error object; headers follow what its SDKs obey
(`retry-after`, `retry-after-ms`, `x-should-retry`).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from tidegate.core.reasons import Reason

_PATIENT_S: Final = 120.0
"""No program should sit and wait for a budget longer than this; OpenAI's SDK draws the same line for itself."""


class Wire(msgspec.Struct, frozen=True):
    """A reason's place in HTTP. `meaning` is the reference's sentence for it."""

    status: int
    type: str
    meaning: str


WIRE: dict[Reason, Wire] = {
    Reason.INVALID_JSON: Wire(400, "invalid_request_error", "The body is not JSON, or is nested too deeply."),
    Reason.INVALID_VALUE: Wire(400, "invalid_request_error", "A field has the wrong type or is out of range."),
    Reason.MISSING_FIELD: Wire(400, "invalid_request_error", "A required field is missing."),
    Reason.UNSUPPORTED_VALUE: Wire(400, "invalid_request_error", "A value that this model or service does not offer."),
    Reason.BODY_TOO_LARGE: Wire(413, "invalid_request_error", "The body is larger than server.max_body_bytes."),
    Reason.HEAD_TOO_LARGE: Wire(
        431, "invalid_request_error", "The request line and headers exceed 64 KiB or 100 fields; the connection closes."
    ),
    Reason.CONTEXT_LENGTH_EXCEEDED: Wire(
        400, "invalid_request_error", "The prompt has more tokens than the model can hold."
    ),
    Reason.MODEL_NOT_FOUND: Wire(404, "invalid_request_error", "No model of this name is served here."),
    Reason.ROUTE_NOT_FOUND: Wire(404, "invalid_request_error", "There is nothing at this address."),
    Reason.METHOD_NOT_ALLOWED: Wire(405, "invalid_request_error", "This address does not take this method."),
    Reason.INVALID_API_KEY: Wire(401, "invalid_request_error", "The key is missing, not ours, or was revoked."),
    Reason.MISSING_SCOPE: Wire(403, "invalid_request_error", "The key is good but may not do this."),
    Reason.NOT_SIGNED_IN: Wire(401, "invalid_request_error", "No session, or one that ended or expired."),
    Reason.OPERATORS_ONLY: Wire(403, "invalid_request_error", "Signed in, but not as an operator."),
    Reason.SOURCE_BLOCKED: Wire(
        403,
        "invalid_request_error",
        "The caller's address is in gate.deny: a session or key that is valid already passes, signing in from there "
        "does not.",
    ),
    Reason.CROSS_SITE_REQUEST: Wire(
        403, "invalid_request_error", "Sent from another site's page, or without saying where."
    ),
    Reason.INVALID_CSRF_TOKEN: Wire(403, "invalid_request_error", "The form or call carries no token of this session."),
    Reason.WRONG_CREDENTIALS: Wire(401, "invalid_request_error", "The address or the password is wrong."),
    Reason.SIGN_UP_CLOSED: Wire(403, "invalid_request_error", "There are no new accounts at present."),
    Reason.INVITATION_REQUIRED: Wire(403, "invalid_request_error", "New accounts need an invitation at present."),
    Reason.CHALLENGE_REQUIRED: Wire(
        403,
        "invalid_request_error",
        "At present this needs a solved challenge, or a place in line instead; the page that answers has both. What is "
        "certainly no answer is refused before any page is made.",
    ),
    Reason.EMAIL_TAKEN: Wire(409, "invalid_request_error", "Another account already uses this address."),
    Reason.LINK_INVALID: Wire(
        410, "invalid_request_error", "A link of a letter that was used, is too old, or not ours."
    ),
    Reason.CONVERSATION_NOT_FOUND: Wire(404, "invalid_request_error", "The caller has no such conversation."),
    Reason.MESSAGE_NOT_FOUND: Wire(404, "invalid_request_error", "The conversation has no such message."),
    Reason.REPLY_IS_RUNNING: Wire(409, "invalid_request_error", "One reply is written in a conversation at a time."),
    Reason.STORAGE_FULL: Wire(403, "invalid_request_error", "The account's conversations take up accounts.storage_mb."),
    Reason.CONVERSATION_FULL: Wire(
        403, "invalid_request_error", "This one conversation takes up 8 MB; another one can be begun."
    ),
    Reason.CONTENT_UNREADABLE: Wire(410, "invalid_request_error", "The key to this is gone, or it was altered."),
    Reason.CONCURRENCY_LIMIT_EXCEEDED: Wire(
        429,
        "rate_limit_error",
        "The account has engine.max_per_account requests running or waiting; an account without a history has 4. Or "
        "one user whom it names has as many as are left for others, or those that it has in may use up what is left of "
        "its budget.",
    ),
    Reason.INSUFFICIENT_QUOTA: Wire(
        429,
        "insufficient_quota",
        "The account or the key has used up its tokens of this minute, hour, day or month; `retry-after` is when the "
        "next begins.",
    ),
    Reason.SIGN_IN_BUSY: Wire(429, "rate_limit_error", "Too many passwords are being checked at this moment."),
    Reason.SEARCH_BUSY: Wire(429, "rate_limit_error", "Too many searches are running at this moment."),
    Reason.SLOW_DOWN: Wire(429, "rate_limit_error", "More requests than the caller's budget allows; it refills."),
    Reason.TOO_MANY_CONNECTIONS: Wire(
        429,
        "rate_limit_error",
        "A request without a valid session or key on a connection beyond gate.connections_per_address; one that sends "
        "no head within two seconds is closed without a word.",
    ),
    Reason.REQUEST_TIMEOUT: Wire(
        408, "invalid_request_error", "The head or the body came slower than gate.head_s and gate.body_s allow."
    ),
    Reason.INSUFFICIENT_SYSTEM_RESOURCE: Wire(
        503, "service_unavailable_error", "An answer was ended in the middle: its place was somebody else's by rule."
    ),
    Reason.SERVER_IS_OVERLOADED: Wire(
        503, "service_unavailable_error", "No room for this, or for its body, within the time that callers wait."
    ),
    Reason.SERVER_IS_DRAINING: Wire(503, "service_unavailable_error", "The service is stopping or restarting."),
    Reason.ENGINE_UNAVAILABLE: Wire(503, "service_unavailable_error", "The model is loading or being restarted."),
    Reason.ENGINE_FAILED: Wire(502, "server_error", "The model broke off in the middle of this answer."),
    Reason.STORAGE_UNAVAILABLE: Wire(
        503, "service_unavailable_error", "The database cannot be reached or written: full, locked or gone."
    ),
    Reason.INTERNAL_ERROR: Wire(500, "server_error", "A defect of ours; the request id finds it in the log."),
    Reason.CLIENT_LEFT: Wire(499, "server_error", "The caller closed the connection first; only seen in logs."),
}


class ErrorDetail(msgspec.Struct, frozen=True):
    """OpenAI's error object. `param` names the field at fault, `code` is the reason."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(msgspec.Struct, frozen=True):
    """Its envelope."""

    error: ErrorDetail


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that is answered with an error. Raise it anywhere below a route."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
        page: str | None = None,
    ) -> None:
        """`message` is for the caller: what is wrong and what to do. `page` is where a person is sent instead."""
        super().__init__(reason)
        self.reason = reason
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.page = page
        self._headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return WIRE[self.reason].status

    def body(self) -> bytes:
        """The error object as JSON."""
        wire = WIRE[self.reason]
        return msgspec.json.encode(ErrorBody(ErrorDetail(self.message, wire.type, self.param, self.reason)))

    def say(self, name: str, text: str) -> None:
        """Have a header more."""
        self._headers[name] = text

    def headers(self) -> dict[str, str]:
        """Headers beside content type and length."""
        headers = dict(self._headers)
        if self.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(self.retry_after_s))
            headers["retry-after-ms"] = str(math.ceil(self.retry_after_s * 1000))
            if self.reason is Reason.INSUFFICIENT_QUOTA and self.retry_after_s > _PATIENT_S:
                headers["x-should-retry"] = "false"
        elif self.status in {408, 409, 429} or self.status >= 500:  # noqa: PLR2004 - what SDKs repeat by themselves
            headers["x-should-retry"] = "false"
        if self.reason is Reason.INVALID_API_KEY:
            headers["www-authenticate"] = 'Bearer realm="tidegate"'
        return headers
