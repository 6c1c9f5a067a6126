"""The four cookies there are: the session, the seed of a stranger's form, the marks of a device, a place in line.

Over HTTPS, and on this machine itself, their names begin with `__Host-`: a
browser keeps such a cookie only when it is Secure, and no other host of the
same site can plant it (RFC 6265bis section 4.1.3.2). Over plain HTTP elsewhere
browsers refuse Secure cookies, so there the names are plain and the pages warn.

Which of the two it is, is known where TLS ends here or a trusted proxy says so
(see `forwarded`). Otherwise the browser says it: it sends Sec-Fetch-Site only
where it trusts the connection (Fetch Metadata, W3C), and the scheme in Origin.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

SESSION: Final = "tidegate-session"
FORM: Final = "tidegate-form"
TICKET: Final = "tidegate-place"
DEVICE: Final = "tidegate-device"
_PREFIX = "__Host-"
_SEED_BYTES = 16


def is_protected(request: Request) -> bool:
    """Whether nobody between the browser and this service can read along, as far as we know or the browser says."""
    if is_https(request) or "sec-fetch-site" in request.headers:
        return True
    origin = request.headers.get("origin")
    if origin is not None:
        given = _split(origin)
        return given is not None and (given[0] == "https" or _is_loopback(given[1]))
    return is_local(request)


def is_https(request: Request) -> bool:
    """Whether the connection is known to be HTTPS: not known is also what ends at a proxy that says nothing."""
    return request.scope.get("scheme") == "https"


def is_local(request: Request) -> bool:
    """Whether the browser runs on this machine, as far as it says: it asked for a loopback name."""
    host = _split(f"http://{request.headers.get('host', '')}")
    return host is not None and _is_loopback(host[1])


def is_same_origin(request: Request) -> bool:
    """Whether our own page sent this request.

    Sec-Fetch-Site alone decides where there is one: no page can forge it, and
    a proxy that renames Host does not spoil it. Older browsers, and plain
    HTTP, have Origin, which must then name the host that was asked, and HTTPS
    where that is known to be what it was asked over.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = _split(request.headers.get("origin", ""))
    if origin is None or (is_https(request) and origin[0] != "https"):
        return False
    return origin[2] == request.headers.get("host", "").lower()


def read(request: Request, name: str) -> str | None:
    """The value of a cookie, by its plain name only where it cannot have been given another."""
    found = request.cookies.get(_PREFIX + name)
    if found is None and not is_protected(request):
        found = request.cookies.get(name)
    return found


def marks(request: Request) -> str:
    """Who has signed in on this device before (core/entering/devices.py); leaving does not forget it."""
    return read(request, DEVICE) or ""


def write(response: Response, request: Request, name: str, value: str, *, lasts_s: float | None = None) -> None:
    """Set a cookie; without `lasts_s` it lasts until the browser is closed."""
    protected = is_protected(request)
    response.set_cookie(
        _PREFIX + name if protected else name,
        value,
        max_age=None if lasts_s is None else int(lasts_s),
        path="/",
        secure=protected,
        httponly=True,
        samesite="lax",
    )


def clear(response: Response, name: str) -> None:
    """Take a cookie away, under both of its names."""
    for full_name, secure in ((_PREFIX + name, True), (name, False)):
        response.delete_cookie(full_name, path="/", secure=secure, httponly=True, samesite="lax")


def new_seed() -> str:
    """A value for the FORM cookie."""
    return secrets.token_hex(_SEED_BYTES)


def _split(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host, and host with port; None for what is no origin, such as `null`."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname
    except ValueError:
        return None
    return None if not host else (parts.scheme, host, parts.netloc.lower())


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
