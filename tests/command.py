"""The real command line, run inside the test's process."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from vibethinker_local.cli import app


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def receipt(self) -> Any:
        """The JSON on stdout, which must be all there is."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


def vibe(*args: str, stdin: bytes = b"", terminal: bool = False) -> Result:
    """Run `vibe` with these arguments. stdin is not a terminal unless `terminal`; stdout and stderr never are."""
    source = io.TextIOWrapper(io.BytesIO(stdin))
    source.isatty = lambda: terminal  # type: ignore[method-assign]
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True) for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vibe", *args])
        patch.setattr(sys, "stdin", source)
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as ended:
            app.run()
    out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)
    code = ended.value.code
    assert isinstance(code, int)
    return Result(code, out, err)
