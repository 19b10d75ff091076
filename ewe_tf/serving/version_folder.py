"""Version folders `NAME/1`, `NAME/2`, ...: written under another name, renamed when whole."""

import contextlib
import os
import pathlib
import shutil
import tempfile

WRITING = ".writing-"


def check_base(path):
    """Raises unless `path` can hold version folders: absent, empty, or with nothing else in it.

    Args:
        path: The folder `NAME`.

    Raises:
        FileExistsError: If it is a file or holds anything but version folders.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise FileExistsError(f"{str(path)!r} is a file. `path` must be a folder for versions")
    strange = sorted(
        child.name
        for child in path.iterdir()
        if not _is_version(child) and not child.name.startswith(WRITING)
    )
    if strange:
        raise FileExistsError(
            f"{str(path)!r} must be empty or hold version folders (1, 2, ...) only. "
            f"Received a folder that holds {', '.join(map(repr, strange[:3]))}"
        )


@contextlib.contextmanager
def next_version(path):
    """Gives a temporary folder to write to; on success renames it to the next version.

    On failure the temporary folder, and every folder made on the way to it, is removed.

    Args:
        path: The folder `NAME`.

    Yields:
        An object with `folder`, where to write, and, after the block, `version`, the
        `pathlib.Path` of the finished version.
    """
    path = pathlib.Path(path)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    place = _Place()
    try:
        path.mkdir(parents=True, exist_ok=True)
        place.folder = pathlib.Path(tempfile.mkdtemp(prefix=WRITING, dir=path))
        yield place
        # mkdtemp makes a private folder; a server often runs as another user.
        place.folder.chmod(0o777 & ~_umask())
        place.version = _rename(place.folder, path)
    except BaseException:
        if place.folder is not None:
            shutil.rmtree(place.folder, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


class _Place:
    folder = None
    version = None


def _rename(folder, path):
    while True:
        taken = [int(child.name) for child in path.iterdir() if _is_version(child)]
        target = path / str(max(taken, default=0) + 1)
        try:
            os.rename(folder, target)
        except OSError:
            # Another process may have taken the number in between.
            if not target.exists():
                raise
        else:
            return target


def _is_version(child):
    return child.name.isascii() and child.name.isdigit() and child.is_dir()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
