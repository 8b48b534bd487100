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


def decimals(low: int | None, high: int | None, *, above: bool = False, below: bool = False, places: int = 0) -> str:
    """The numbers from low to high, written without an exponent; `above` and `below` leave the bounds themselves out.

    The bounds are given in the last of so many decimal places, which each number then has at least. Raises ValueError
    if there are none.
    """
    beyond = (LARGEST + 1) * 10**places
    if low is None or low <= -beyond:
        low, above = -beyond, True
    if high is None or high >= beyond:
        high, below = beyond, True
    if low > high or (low == high and (above or below)):
        raise ValueError(NONE)
    parts = []
    if high > 0 or (high == 0 and not below):
        parts.append(_magnitudes(max(low, 0), high, places, above=above and low >= 0, below=below))
    if low < 0:
        parts.append(f'"-" ({_magnitudes(max(-high, 0), -low, places, above=below and high <= 0, below=above)})')
    return " | ".join(parts)


def _magnitudes(least: int, most: int, places: int, *, above: bool, below: bool) -> str:
    """The numbers from least to most, neither of them below 0."""
    left = DIGITS - places  # digits that may follow
    parts = []
    if above:
        point = "" if places else "."
        parts.append(f'"{_text(least, places)}{point}" [0-9]{{0,{left - 1}}} [1-9]')
    if least + above < most:
        more = f"[0-9]{{0,{left}}}" if places else f'("." [0-9]{{1,{left}}})?'
        parts.append(f"({_naturals(least + above, most - 1, places)}) {more}")
    if not below:
        more = f'"0"{{0,{left}}}' if places else f'("." "0"{{1,{left}}})?'
        parts.append(f'"{_text(most, places)}" {more}')
    return " | ".join(parts)


def _text(number: int, places: int) -> str:
    digits = str(number).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def _naturals(least: int, most: int, places: int = 0) -> str:
    """The integers from least to most, neither of them below 0; written with a point before so many digits."""
    first, last = _text(least, places), _text(most, places)
    few, many = len(first), len(last)
    if few == many:
        return _alike(first, last)
    parts = [_alike(first, _highest(first))]
    if few + 1 < many:
        whole = few - len(_text(0, places)) + 1
        parts.append(
            f"[1-9] [0-9]{{{whole},{whole + many - few - 2}}} {_digits(last[-places - 1 :] if places else '')}"
        )
    parts.append(_alike(_text(10 ** (len(str(most)) - 1), places), last))
    return " | ".join(part.rstrip() for part in parts)


def _alike(first: str, last: str) -> str:
    """The strings of digits from first to last, which have as many, and a point, if any, in the same place."""
    if first == last:
        return f'"{first}"'
    if first[0] == last[0]:
        return f'"{first[0]}" ({_alike(first[1:], last[1:])})'
    if len(first) == 1:
        return f"[{first}-{last}]"
    begin, end, parts = int(first[0]), int(last[0]), []
    lowest, highest = first[1:].translate(str.maketrans("123456789", "0" * 9)), _highest(first[1:])
    if first[1:] != lowest:
        parts.append(f'"{begin}" ({_alike(first[1:], highest)})')
        begin += 1
    if last[1:] != highest:
        parts.append(f'"{end}" ({_alike(lowest, last[1:])})')
        end -= 1
    if begin <= end:
        parts.append(f"[{begin}-{end}] {_digits(lowest)}")
    return " | ".join(parts)


def _highest(text: str) -> str:
    return text.translate(str.maketrans("012345678", "9" * 9))


def _digits(text: str) -> str:
    """Any digits in the places of these."""
    whole, point, decimals = text.partition(".")
    counts = [f"[0-9]{{{len(part)}}}" if part else "" for part in (whole, decimals)]
    return (f'{counts[0]} "." {counts[1]}' if point else counts[0]).strip()
