"""Edits of the product's files for copies of them, found by their text whatever its spaces and line ends."""


def replace_once(text, old, new, what):
    """`text` with the only place that says `old` replaced by `new`. Spaces and line ends do not count, so the formatter may move them."""
    places = [i for i, c in enumerate(text) if not c.isspace()]
    dense = "".join(text[i] for i in places)
    wanted = "".join(old.split())
    n = dense.count(wanted)
    if n != 1:
        raise SystemExit(f"{what}: the text to change occurs {n} times: {old!r}")
    at = dense.index(wanted)
    begin, end = places[at], places[at + len(wanted) - 1] + 1
    lead = old[: len(old) - len(old.lstrip())]
    if lead and new.startswith(lead):
        new = new[len(lead):]
    return text[:begin] + new + text[end:]
