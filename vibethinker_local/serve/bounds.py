"""Numbers between two bounds, as GBNF: digit by digit, since a grammar cannot compare."""

DIGITS = 16  # of a number before its point, and behind it
LARGEST = 10**DIGITS - 1
NONE = f"no number of up to {DIGITS} digits lies between its bounds"


def integers(low: int | None, high: int | None) -> str:
    """The integers from low to high; None is no bound. Raises ValueError if there are none."""
    least = -LARGEST if low is None else max(low, -LARGEST)
    most = LARGEST if high is None else min(high, LARGEST)
    if least > most:
        raise ValueError(NONE)
    parts = [_naturals(max(least, 0), most)] if most >= 0 else []
    if least < 0:
        parts.append(f'"-" ({_naturals(max(-most, 1), -least)})')
    return " | ".join(parts)


def decimals(low: int | None, high: int | None, *, above: bool = False, below: bool = False) -> str:
    """The numbers from low to high, written without an exponent; `above` and `below` leave the bounds themselves out.

    Raises ValueError if there are none.
    """
    if low is None or low < -LARGEST:
        low, above = -LARGEST - 1, True
    if high is None or high > LARGEST:
        high, below = LARGEST + 1, True
    if low > high or (low == high and (above or below)):
        raise ValueError(NONE)
    parts = []
    if high > 0 or (high == 0 and not below):
        parts.append(_magnitudes(max(low, 0), high, above=above and low >= 0, below=below))
    if low < 0:
        parts.append(f'"-" ({_magnitudes(max(-high, 0), -low, above=below and high <= 0, below=above)})')
    return " | ".join(parts)


def _magnitudes(least: int, most: int, *, above: bool, below: bool) -> str:
    """The numbers from least to most, neither of them below 0."""
    parts = []
    if above:
        parts.append(f'"{least}." [0-9]{{0,{DIGITS - 1}}} [1-9]')
    if least + above < most:
        parts.append(f'({_naturals(least + above, most - 1)}) ("." [0-9]{{1,{DIGITS}}})?')
    if not below:
        parts.append(f'"{most}" ("." "0"{{1,{DIGITS}}})?')
    return " | ".join(parts)


def _naturals(least: int, most: int) -> str:
    """The integers from least to most, neither of them below 0."""
    few, many = len(str(least)), len(str(most))
    if few == many:
        return _alike(str(least), str(most))
    parts = [_alike(str(least), "9" * few)]
    if few + 1 < many:
        parts.append(f"[1-9] [0-9]{{{few},{many - 2}}}")
    parts.append(_alike(str(10 ** (many - 1)), str(most)))
    return " | ".join(parts)


def _alike(first: str, last: str) -> str:
    """The strings of digits from first to last, which have as many."""
    if first == last:
        return f'"{first}"'
    if first[0] == last[0]:
        return f'"{first[0]}" ({_alike(first[1:], last[1:])})'
    rest = len(first) - 1
    if not rest:
        return f"[{first}-{last}]"
    begin, end, parts = int(first[0]), int(last[0]), []
    if first[1:] != "0" * rest:
        parts.append(f'"{begin}" ({_alike(first[1:], "9" * rest)})')
        begin += 1
    if last[1:] != "9" * rest:
        parts.append(f'"{end}" ({_alike("0" * rest, last[1:])})')
        end -= 1
    if begin <= end:
        parts.append(f"[{begin}-{end}] [0-9]{{{rest}}}")
    return " | ".join(parts)
