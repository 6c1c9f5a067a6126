"""`tidegate backup` and `tidegate restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tidegate.cli.options import EITHER, ConfigOption, DataOption, JsonOption, datadir_of, settings_of
from tidegate.cli.output import NOT_SO, byte_bar, print_json, refuse


def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the backup, a .tar.gz.")],
    *,
    user_keys: Annotated[
        bool,
        typer.Option(
            "--user-keys/--without-user-keys",
            help="Include the keys that conversations are encrypted with; without them a restored copy has the "
            "accounts, but no conversations can be read.",
        ),
    ] = True,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a consistent copy of the data directory to one file; the service may go on running."""
    from tidegate.adapters.disk.backup import write_backup
    from tidegate.adapters.disk.manifest import BackupError

    settings = settings_of(config, data)
    datadir = datadir_of(settings, may_make=False, begun_by=EITHER)
    try:
        with byte_bar("Writing the backup", is_shown=not as_json) as progress:
            manifest = write_backup(datadir, out, include_user_keys=user_keys, progress=progress)
    except BackupError as error:
        refuse(str(error), NOT_SO)
    if settings.database_url is not None:
        typer.echo("The records are in a database of your own: back that up too, with its own tools.", err=True)
    if as_json:
        print_json({"path": str(out), **msgspec.to_builtins(manifest)})
    else:
        typer.echo(f"Wrote {out}: {len(manifest.members)} files. It holds secrets; keep it as safe as the service.")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A backup that 'tidegate backup' wrote.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a data directory that is not empty; the old one is kept beside.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a data directory back from a backup, verified before anything is touched."""
    from tidegate.adapters.disk.datadir import DataDirError
    from tidegate.adapters.disk.manifest import BackupError
    from tidegate.adapters.disk.restore import read_backup

    target = settings_of(config, data).data_dir
    try:
        with byte_bar("Restoring", is_shown=not as_json) as progress:
            restored = read_backup(source, target, force=force, progress=progress)
    except (BackupError, DataDirError) as error:
        refuse(str(error), NOT_SO)
    if as_json:
        kept = None if restored.kept_aside is None else str(restored.kept_aside)
        print_json({"path": str(target), "kept_aside": kept, **msgspec.to_builtins(restored.manifest)})
        return
    typer.echo(f"Restored {target} from {source}.")
    if restored.kept_aside is not None:
        typer.echo(f"What was there before is now in {restored.kept_aside}; remove it when you no longer need it.")
