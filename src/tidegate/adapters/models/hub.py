"""Models on the Hugging Face hub, or on a server that speaks its protocol."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tidegate.adapters.models.download import download
from tidegate.ports.models import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub import HfFileMetadata

    from tidegate.adapters.models.part import PartFile
    from tidegate.core.models.reference import HubReference
    from tidegate.ports.models import Progress

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch_from_hub(
    reference: HubReference,
    part: PartFile,
    *,
    endpoint: str,
    token: str | None,
    timeout_s: float,
    require_room: Callable[[int], None],
    progress: Progress,
) -> str:
    """Write the hub's file into `part`, bounded by its announced size, and return the SHA-256 that the hub promises.

    Raises ModelUnavailable: not there, not allowed, or out of reach. The file
    is pinned to the commit that was current at the start.
    """
    # Imported here: only a pull from the hub needs its client.
    from huggingface_hub import get_session, hf_hub_url  # noqa: PLC0415 - only a pull needs it

    repository = f"{reference.owner}/{reference.repository}"
    metadata = _metadata(reference, endpoint, token, timeout_s)
    # For a large file the hub's ETag is its SHA-256; for a small one it is a git hash.
    if metadata.etag is None or not _SHA256.fullmatch(metadata.etag) or metadata.size is None:
        msg = f"The hub gives no SHA-256 for {reference}, so it cannot be verified; choose a file kept as LFS or Xet."
        raise ModelUnavailable(msg)
    require_room(metadata.size)
    part.limit_bytes = metadata.size
    revision = metadata.commit_hash or reference.revision
    download(
        get_session(),
        hf_hub_url(repository, reference.path, revision=revision, endpoint=endpoint),
        part,
        progress=progress,
        # The client drops the token when the hub redirects to another host for the bytes.
        headers={"Authorization": f"Bearer {token}"} if token else None,
        before_first_byte=lambda _size_bytes: None,
        timeout_s=timeout_s,
    )
    return metadata.etag


def _metadata(reference: HubReference, endpoint: str, token: str | None, timeout_s: float) -> HfFileMetadata:
    import httpx2  # noqa: PLC0415 - only a pull needs it
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 - only a pull needs it

    repository = f"{reference.owner}/{reference.repository}"
    page = f"{endpoint}/{repository}"
    try:
        url = hf_hub_url(repository, reference.path, revision=reference.revision, endpoint=endpoint)
        return get_hf_file_metadata(url, token=token or False, timeout=timeout_s, endpoint=endpoint)
    except errors.GatedRepoError as fault:
        msg = f"{repository} is given out only on conditions: accept them at {page}, then set HF_TOKEN."
        raise ModelUnavailable(msg) from fault
    except errors.RepositoryNotFoundError as fault:
        msg = f"The hub knows no repository {repository}, or HF_TOKEN may not read it; check the name at {endpoint}."
        raise ModelUnavailable(msg) from fault
    except errors.RevisionNotFoundError as fault:
        msg = f"{repository} has no revision {reference.revision}; see {page}/commits for those that exist."
        raise ModelUnavailable(msg) from fault
    except errors.EntryNotFoundError as fault:
        msg = f"{repository} has no file {reference.path}; see {page}/tree/{reference.revision} for those that exist."
        raise ModelUnavailable(msg) from fault
    except errors.HfHubHTTPError as fault:
        msg = f"The Hugging Face hub answered {fault.response.status_code} for {reference}; try again later."
        raise ModelUnavailable(msg) from fault
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as fault:
        because = str(fault) or type(fault).__name__
        msg = (
            f"The Hugging Face hub cannot be reached at {endpoint} ({because}); check the network, "
            "or copy the .gguf file here and give its path instead."
        )
        raise ModelUnavailable(msg) from fault
