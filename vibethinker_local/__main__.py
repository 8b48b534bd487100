"""The `vibe` command. `vibe --version`, and `vibe` alone, which is the chat, import no more than they need."""

import os
import sys
from contextlib import suppress

from vibethinker_local import __version__


def main() -> None:
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            print(f"vibethinker-local {__version__}", flush=True)
            return
        if len(sys.argv) == 1 and "_VIBE_COMPLETE" not in os.environ and _at_a_terminal():
            from vibethinker_local.cli.converse import at_once

            at_once()
        from vibethinker_local.cli.app import run

        run()
    except KeyboardInterrupt:  # before the command line has its own handler
        sys.exit(130)
    except OSError as error:  # of the version or a help text: the commands have their own handler
        from vibethinker_local.system.terminal import to_nowhere

        to_nowhere(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return
        with suppress(OSError):
            print(f"vibe: Standard output cannot be written: {error.strerror}.", file=sys.stderr)
        sys.exit(2)


def _at_a_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


if __name__ == "__main__":
    main()
