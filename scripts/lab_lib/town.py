"""A town: names, and who permits whom.

A file of it has a line a pair, or a name alone; # begins a comment:
    mary - john     # both permit each other: they find each other and get a link
    mary > peter    # Mary permits Peter, who does not permit her: neither finds the other
    paul            # permits nobody"""
import os, re

DEFAULT = 'mary - john\njohn - peter\n'
NAME = r'[A-Za-z0-9][A-Za-z0-9_-]{0,15}'  # also the end of a network namespace's and of a device's name
TAKEN = ('air', 'sniffer', 'page')
MOST = 16


class Mistake(Exception):
    """Of the user's: one line, exit 2."""


def check_name(name):
    if not re.fullmatch(NAME, name) or name in TAKEN:
        raise Mistake("'%s': accepted is a name of 1 to 16 letters, digits, - and _, other than %s" % (name, ', '.join(TAKEN)))
    return name


def parse(text, place):
    """(names in their order, set of (who, whom) of each permission)."""
    names, permits = [], set()
    for n, line in enumerate(text.splitlines(), 1):
        line = line.split('#')[0].strip()
        if not line:
            continue
        m = re.fullmatch(r'(\S+)(?:\s+([->])\s+(\S+))?', line)
        try:
            if not m:
                raise Mistake("'%s' is no pair; accepted: 'mary - john' (both permit each other), 'mary > john' (only Mary permits), or a name" % line)
            found = [check_name(x) for x in m.group(1, 3) if x]
        except Mistake as e:
            raise Mistake('%s:%d: %s' % (place, n, e))
        if len(found) == 2 and found[0] == found[1]:
            raise Mistake('%s:%d: %s permits itself; accepted: two names' % (place, n, found[0]))
        names += [x for x in found if x not in names]
        if len(found) == 2:
            permits.add((found[0], found[1]))
            if m.group(2) == '-':
                permits.add((found[1], found[0]))
    if not names or len(names) > MOST:
        raise Mistake('%s: %d names; accepted: 1 to %d' % (place, len(names), MOST))
    return names, permits


def read(path):
    if path is None:
        return parse(DEFAULT, 'the town of three')
    try:
        with open(path) as f:
            return parse(f.read(), path)
    except (OSError, UnicodeDecodeError) as e:
        raise Mistake('%s: %s; accepted: a file with lines such as mary - john' % (path, getattr(e, 'strerror', None) or 'is no text'))


def links(permits):
    """Pairs that permit each other."""
    return sorted((a, b) for a, b in permits if a < b and (b, a) in permits)


def default_state():
    return os.path.join(os.environ.get('XDG_STATE_HOME') or os.path.expanduser('~/.local/state'), 'prose-lab')
