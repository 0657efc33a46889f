"""Who a submission is in a container, and that it may read and write the folders it was given.

Files keep their owners when they are mounted. An ordinary user's harness gives the container its
own user, so everything is as if the user had started the program. Root's harness gives it nobody,
and hands the folders over.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


def user() -> tuple[int, int]:
    """The user and group that programs in containers run as; never root."""
    return (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def users() -> str:
    """The users of a container, as in `/etc/passwd`: libraries ask it for a name."""
    uid, gid = user()
    return f"root:x:0:0:root:/root:/bin/sh\nnobody:x:{uid}:{gid}::/tmp:/usr/sbin/nologin\n"


def hand_over(folder: Path) -> None:
    """Give a folder and all that is in it to the container's user.

    A program that runs in it may put links in our way meanwhile: nothing is followed, and each name
    is looked up in the folder that was opened.
    """
    if os.geteuid() != 0:
        return
    owner = user()
    for _, folders, files, descriptor in os.fwalk(folder.resolve(), follow_symlinks=False):
        os.fchown(descriptor, *owner)
        for name in [*folders, *files]:
            try:
                os.chown(name, *owner, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # the program has just removed it


def let_read(path: Path) -> None:
    """Let everybody read what the harness made for a program to read."""
    if os.geteuid() != 0:
        return
    for found in [path, *path.rglob("*")]:
        if not found.is_symlink():
            found.chmod(found.stat().st_mode | (0o555 if found.is_dir() else 0o444))
