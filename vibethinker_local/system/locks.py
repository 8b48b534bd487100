"""Locks on files that are being written: each goes with its process, whatever ends that."""

import errno
import os
import sys
from typing import IO, Any

TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES})  # the latter on Windows
# What locking fails with on network file systems that have no locks: there, two programs are not kept apart.
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})


def take(file: IO[Any]) -> bool:
    """Whether nobody else holds an open file; it is ours now, until it is closed, where there are locks.

    Raises OSError where that cannot be told.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), 2**62, os.SEEK_SET)  # no content is there: locked bytes cannot be read elsewhere
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        if error.errno not in NO_LOCKS:
            raise
    return True
