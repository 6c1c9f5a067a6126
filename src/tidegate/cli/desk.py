"""Does account acts where they must be done: in the running service, or here when none runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast

import msgspec

from tidegate.adapters.disk.datadir import DataDir, DataDirError, DataDirLocked
from tidegate.cli.asking import Answer, answer_of, granted
from tidegate.cli.options import Known, datadir_of, is_unsaid
from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse
from tidegate.config import Settings
from tidegate.services.accounts import Act

T = TypeVar("T")

_PATIENCE_S = 10.0
_RETRY_S = 0.1


class _Performing(Protocol):
    """Does acts. Which ones it knows, its caller does."""

    async def perform(self, act: Any, /) -> object: ...


def perform(known: Known, act: Act, kind: type[T], *, may_make: bool = False) -> T:
    """Do an act on accounts and answer its result as `kind`; as `perform_at` does."""

    def opened(settings: Settings, datadir: DataDir) -> AbstractAsyncContextManager[_Performing]:
        from tidegate.app.operate import open_desk

        return open_desk(settings, datadir)

    return perform_at("/acts", opened, known, act, kind, may_make=may_make)


def perform_at(
    path: str,
    opened: Callable[[Settings, DataDir], AbstractAsyncContextManager[_Performing]],
    known: Known,
    act: object,
    kind: type[T],
    *,
    may_make: bool = False,
) -> T:
    """Do the act and answer its result as `kind`; ends the program with a sentence when it cannot be done.

    A running service is asked at `path` of its control socket; `opened` gives what does it where none runs.

    A service that runs on the data directory does it; otherwise this process
    holds the directory's lock meanwhile, and needs settings without a mistake.
    Only with `may_make` a missing data directory is made, and only where
    somebody has said which: the service may well run somewhere else.
    """

    def here(datadir: DataDir) -> Coroutine[Any, Any, object]:
        return _perform_here(known.settings, datadir, opened, act)

    def there(datadir: DataDir) -> Coroutine[Any, Any, Answer | None]:
        return answer_of(datadir, "POST", path, act)

    return carry_out(known, here, there, kind, may_make=may_make)


def carry_out(
    known: Known,
    here: Callable[[DataDir], Coroutine[Any, Any, object]],
    there: Callable[[DataDir], Coroutine[Any, Any, Answer | None]],
    kind: type[T],
    *,
    may_make: bool = False,
    begun_by: tuple[str, ...] = ("serve",),
    lacks: str = "a gate before another server: it has no accounts",
) -> T:
    """Run `there` where a service holds the data directory, and answer what it says as `kind`; otherwise run `here`.

    `here` answers a `kind`, and holds the directory's lock; `there` answers None when nobody is there to ask. What is
    said where there is nothing for these acts: `begun_by` which verbs it would be made, and what `lacks` it.
    """
    settings = known.settings
    may_make = may_make and known.mistake is None and not is_unsaid(settings)
    datadir = datadir_of(settings, may_make=may_make, begun_by=begun_by)
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with datadir.lock():
                if known.mistake is not None:
                    refuse("no service runs on this data directory: mend the settings first", WRONG_USAGE)
                return cast("T", asyncio.run(here(datadir)))
        except DataDirLocked as locked:
            answer = asyncio.run(there(datadir))
            if answer is not None:
                return msgspec.json.decode(granted(answer, datadir, lacks), type=kind, dec_hook=_identifier)
            # Held, but nobody answers: a service that is starting or stopping, or another verb.
            if time.monotonic() > give_up_at:
                refuse(f"{locked}; it does not answer on its control socket", NOT_SO)
            time.sleep(_RETRY_S)
        except DataDirError as error:
            refuse(str(error), WRONG_USAGE)


async def _perform_here(
    settings: Settings,
    datadir: DataDir,
    opened: Callable[[Settings, DataDir], AbstractAsyncContextManager[_Performing]],
    act: object,
) -> object:
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage
    from tidegate.ports.accounts import EmailTakenError
    from tidegate.services.accounts import NotFoundError

    if datadir.callers_path.exists() and not (settings.database_url or datadir.database_path.exists()):
        refuse(f"only a gate before another server ever ran on {datadir.path}: check --data", NOT_SO)
    try:
        async with opened(settings, datadir) as room:
            return await room.perform(act)
    except EmailTakenError:
        refuse("email: another account already uses this address", NOT_SO)
    except NotFoundError as error:
        refuse(str(error), NOT_SO)
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (ValueError, SecretsError) as error:
        refuse(str(error), WRONG_USAGE)


def _identifier(kind: type, text: Any) -> Any:
    return kind(text)
