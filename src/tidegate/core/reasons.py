"""Why a request was refused or failed: the one vocabulary.

The same word stands in the API error's `code`, the metric's label, the log, the
console and the reference. Once published, a word keeps its meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """A reason, as API clients and operators read it."""

    # The request itself is not usable. Trying again will not help.
    INVALID_JSON = "invalid_json"
    INVALID_VALUE = "invalid_value"
    MISSING_FIELD = "missing_field"
    UNSUPPORTED_VALUE = "unsupported_value"
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TOO_LARGE = "head_too_large"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    MODEL_NOT_FOUND = "model_not_found"
    ROUTE_NOT_FOUND = "route_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"

    # We do not know, or do not allow, the caller.
    INVALID_API_KEY = "invalid_api_key"
    MISSING_SCOPE = "missing_scope"
    NOT_SIGNED_IN = "not_signed_in"
    OPERATORS_ONLY = "operators_only"
    SOURCE_BLOCKED = "source_blocked"
    CROSS_SITE_REQUEST = "cross_site_request"
    INVALID_CSRF_TOKEN = "invalid_csrf_token"  # noqa: S105 - a word
    WRONG_CREDENTIALS = "wrong_credentials"
    SIGN_UP_CLOSED = "sign_up_closed"
    INVITATION_REQUIRED = "invitation_required"
    CHALLENGE_REQUIRED = "challenge_required"
    EMAIL_TAKEN = "email_taken"
    LINK_INVALID = "link_invalid"

    # What was asked for does not fit what there is.
    CONVERSATION_NOT_FOUND = "conversation_not_found"
    MESSAGE_NOT_FOUND = "message_not_found"
    REPLY_IS_RUNNING = "reply_is_running"
    STORAGE_FULL = "storage_full"
    CONVERSATION_FULL = "conversation_full"
    CONTENT_UNREADABLE = "content_unreadable"

    # We cannot serve it now.
    INSUFFICIENT_QUOTA = "insufficient_quota"
    SLOW_DOWN = "slow_down"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    REQUEST_TIMEOUT = "request_timeout"
    INSUFFICIENT_SYSTEM_RESOURCE = "insufficient_system_resource"
    SERVER_IS_OVERLOADED = "server_is_overloaded"
    CONCURRENCY_LIMIT_EXCEEDED = "concurrency_limit_exceeded"
    SIGN_IN_BUSY = "sign_in_busy"
    SEARCH_BUSY = "search_busy"
    SERVER_IS_DRAINING = "server_is_draining"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    ENGINE_FAILED = "engine_failed"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"

    # Nobody is left to answer.
    CLIENT_LEFT = "client_left"


OUR_FAULTS: Final = frozenset({Reason.INTERNAL_ERROR, Reason.STORAGE_UNAVAILABLE})
"""What somebody has to look after: an error in the log."""
