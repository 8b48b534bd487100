"""Counters of a server in Prometheus's text format. Numbers only: nothing of what was asked or answered."""

from collections import Counter
from collections.abc import Callable, Iterator

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
PREFIX = "vibe_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    def __init__(self, about: str) -> None:
        self.about = about
        self._counts, self._sum = [0] * (len(SECONDS) + 1), 0.0

    def add(self, seconds: float) -> None:
        self._counts[next((i for i, most in enumerate(SECONDS) if seconds <= most), len(SECONDS))] += 1
        self._sum += seconds

    def lines(self, name: str) -> Iterator[str]:
        total = 0
        for most, count in zip([*map(str, SECONDS), "+Inf"], self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{most}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """For one event loop. `gauges`: a name, what it is, and how it is read now."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges
        self._requests: Counter[tuple[str, int]] = Counter()
        self._tokens = {"prompt": 0, "completion": 0}
        self.disconnects = 0
        self.seconds = Histogram("Seconds from a chat completion's request to its last byte.")
        self.first = Histogram("Seconds from a chat completion's request to its first token.")

    def request(self, path: str, status: int) -> None:
        self._requests[path, status] += 1

    def used(self, prompt: int, completion: int) -> None:
        self._tokens["prompt"] += prompt
        self._tokens["completion"] += completion

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Requests by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'{PREFIX}requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _head("tokens_total", "counter", "Tokens read (prompt) and written (completion).")
        for kind, count in self._tokens.items():
            yield f'{PREFIX}tokens_total{{kind="{kind}"}} {count}'
        yield from _head("disconnects_total", "counter", "Chat completions whose client went away.")
        yield f"{PREFIX}disconnects_total {self.disconnects}"
        for name, (about, read) in self._gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            yield from _head(name, kind, about)
            yield f"{PREFIX}{name} {read():g}"
        for name, histogram in (("request_seconds", self.seconds), ("first_token_seconds", self.first)):
            yield from _head(name, "histogram", histogram.about)
            yield from histogram.lines(PREFIX + name)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {about}"
    yield f"# TYPE {PREFIX}{name} {kind}"
