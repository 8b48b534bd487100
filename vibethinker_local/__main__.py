"""The `vibe` command. Only what `vibe --version` needs is imported before the command line is looked at."""

import os
import sys
from contextlib import suppress

from vibethinker_local import __version__


def main() -> None:
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            print(f"vibethinker-local {__version__}", flush=True)
            return
        from vibethinker_local.cli.app import run

        run()
    except KeyboardInterrupt:  # before the command line has its own handler
        sys.exit(130)
    except OSError as error:  # of the version or a help text: the commands have their own handler
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return
        with suppress(OSError):
            print(f"vibe: Standard output cannot be written: {error.strerror}.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
