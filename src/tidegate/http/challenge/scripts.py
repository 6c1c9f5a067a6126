"""The two scripts that solve challenges in a page, under an address that changes with them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.core.reasons import Reason
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.http.web.assets import Asset
from tidegate.http.web.routes import FOREVER, answer

_FOLDER: Final = "challenge/"
_PAGE: Final = "page.js"


class Scripts(msgspec.Struct, frozen=True):
    """The built scripts by name, and the version that stands in their address: the worker's follows the page's."""

    version: str
    files: dict[str, Asset]

    @classmethod
    def of(cls, assets: dict[str, Asset]) -> Scripts:
        """Take what belongs to challenges from the built files."""
        files = {path.removeprefix(_FOLDER): found for path, found in assets.items() if path.startswith(_FOLDER)}
        digest = sha256(b"".join(files[name].bodies["identity"] for name in sorted(files)))
        return cls(digest.hexdigest()[:16], files)

    @property
    def page_path(self) -> str:
        """What a page with a challenge names as its script."""
        return f"/challenge/{self.version}/{_PAGE}"


async def script(room: Scripts, request: Request) -> Response:
    """One of the scripts, kept by browsers for ever: another version has another address."""
    found = room.files.get(request.path_params["name"])
    if found is None or request.path_params["version"] != room.version:
        raise Refusal(Reason.ROUTE_NOT_FOUND, "The page is older than the service: reload it.")
    return answer(found, request, {"cache-control": FOREVER})


TABLE: Final[tuple[Route[Any], ...]] = (
    Route(
        method="GET",
        path="/challenge/{version}/{name}",
        summary="A script that solves challenges in a page",
        endpoint=script,
        kind=RouteKind.PAGE,
        lane=Lane.ASSET,
        media_type="text/javascript",
    ),
)
"""For everybody: the scripts say nothing of anybody."""
