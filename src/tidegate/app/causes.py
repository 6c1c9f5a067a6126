"""Why a server does not answer, in words: what programs call an error, people have to look up."""

from __future__ import annotations

from typing import Final

_WORDS: Final = {
    "": "no answer",
    "ConnectionRefusedError": "nothing listens there",
    "gaierror": "no such host",
    "ConnectTimeoutError": "no connection",
    "OSError": "no connection",
    "TimeoutError": "silent",
    "SSLCertVerificationError": "its certificate is not trusted",
    "SSLError": "it does not speak TLS",
    "BrokenOffError": "it closes connections",
    "ConnectionResetError": "it closes connections",
    "NonsenseError": "it does not speak HTTP",
    "status 404 at /v1/models": "nothing at /v1/models: is it a server of models?",
}

# A server of plain HTTP waits for more when a TLS handshake comes, or calls it a bad request.
_PERHAPS_PLAIN: Final = frozenset({"TimeoutError", "ConnectTimeoutError", "SSLError", "ConnectionResetError"})
_PERHAPS_TLS: Final = frozenset({"BrokenOffError", "NonsenseError"})


def in_words(kind: str, url: str = "") -> str:
    """Say what this kind of error means, at that `url`; a kind that is not known here stays as it is."""
    words = _WORDS.get(kind, kind)
    if url.startswith("https:") and kind in _PERHAPS_PLAIN:
        return f"{words}: http:// instead of https://?"
    if url.startswith("http:") and kind in _PERHAPS_TLS:
        return f"{words}: https:// instead of http://?"
    return words
