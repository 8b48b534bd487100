"""How quickly the chat paints what is typed while it streams: `python -m tests.measure.latency [THOUGHTS] [RATE]`.

A real program in a pseudo-terminal of 120×40. Each key is a character that is nowhere else on the screen; its time runs
from the write into the terminal to the read that has it. Also: the first paint of `vibe` beside what Python and the
smallest Textual app take, the share of a core, memory, quitting.
"""

import os
import statistics
import sys
import tempfile

import psutil

from tests.tui.program import ANSWER_TOKENS
from tests.tui.terminal import Terminal

KEYS = [chr(code) for code in range(0x0416, 0x0450)]
EVERY = 0.15  # seconds between keys
ROUNDS = 7  # starts, one after the other
PLAIN = "print('hello')"
SMALLEST = """
from textual.app import App
from textual.widgets import Static

class Smallest(App):
    def compose(self):
        yield Static("hello")

Smallest().run()
"""


def typed(terminal: Terminal, seconds: float) -> list[float]:
    """Milliseconds from key to paint, over so many seconds."""
    found = []
    for n in range(int(seconds / EVERY)):
        key = KEYS[n % len(KEYS)]
        terminal.write(key)
        took = terminal.until(key)
        found.append(took * 1e3)
        terminal.rest(max(0.0, EVERY - took))
        terminal.output, terminal._mark = b"", 0
        if n % 40 == 39:
            terminal.write("\x15")
            terminal.rest(0.1)
    terminal.write("\x15")
    terminal.rest(0.2)
    return found


def say(what: str, found: list[float]) -> None:
    found = sorted(found)
    p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
    p50, worst = statistics.median(found), found[-1]
    print(f"{what:<34} p50 {p50:5.1f} ms   p99 {p99:5.1f} ms   worst {worst:5.1f} ms   n {len(found)}")


def usage(share: float, before: int, process: psutil.Process) -> None:
    print(f"share of a core {share:.0%}; memory {before >> 20} MiB before, {process.memory_info().rss >> 20} after")


def starts(folder: str) -> None:
    """Seconds to the first paint, in turns; the first round warms the files up."""
    ways = {"python": ["-c", PLAIN], "textual": ["-c", SMALLEST], "vibe": ["-m", "vibethinker_local"]}
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, args in ways.items():
            with Terminal(*args, env={"VIBE_HOME": folder}) as terminal:
                found[way].append(terminal.until("sk a problem" if way == "vibe" else "hello"))
                terminal.rest(0.1)
                terminal.write("\x11")
                terminal.ended()
    python, textual, vibe = (statistics.median(times[1:]) * 1e3 for times in found.values())
    print(f"first paint {vibe:.0f} ms; the smallest Textual app {textual:.0f} ms, Python {python:.0f} ms")


def main() -> None:
    thoughts, rate = int((sys.argv[1:] or ["40000"])[0]), float((sys.argv[2:] or ["200"])[0])
    print(f"load {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder:
        starts(folder)
        with Terminal("-m", "tests.tui.program", folder, str(thoughts), str(rate)) as terminal:
            terminal.until("sk a problem")
            terminal.rest(1.0)
            say("idle", typed(terminal, 10))
            process = psutil.Process(terminal.process.pid)
            before = process.memory_info().rss
            terminal.write("go\r")
            terminal.until("thinking")
            seconds = thoughts / rate
            cpu = process.cpu_times()
            say("reasoning, folded", typed(terminal, seconds * 0.45))
            later = process.cpu_times()
            share = (later.user + later.system - cpu.user - cpu.system) / (seconds * 0.45)
            terminal.write("\x0f")
            say("reasoning, open", typed(terminal, seconds * 0.45))
            usage(share, before, process)
            terminal.write("\x11")
            print(f"quitting in mid-decode {terminal.ended() * 1e3:.0f} ms")
        with Terminal("-m", "tests.tui.program", folder, "10", str(rate)) as terminal:
            terminal.until("sk a problem")
            terminal.rest(1.0)
            process = psutil.Process(terminal.process.pid)
            before, cpu = process.memory_info().rss, process.cpu_times()
            terminal.write("go\r")
            [sent] = typed(terminal, EVERY)  # while the question is sent and all that shows it is laid out
            print(f"the key that follows Enter {sent:.1f} ms")
            seconds = ANSWER_TOKENS / rate - 1 - EVERY
            say("answer", typed(terminal, seconds))
            later = process.cpu_times()
            share = (later.user + later.system - cpu.user - cpu.system) / seconds
            say("its end", typed(terminal, 3))
            usage(share, before, process)


if __name__ == "__main__":
    main()
