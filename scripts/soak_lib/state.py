"""What a soak keeps in its output folder, so that --resume can go on."""
import json, os, statistics

FORMAT = 3
MOST_POINTS = 1200       # of a series; then two become one
MOST_KEPT = 500          # of a list for people to read; the count goes on


class series:
    """Points (seconds of air, value...), thinned to bounded length: neighbours are averaged."""

    def __init__(self, points=()):
        self.points = [list(p) for p in points]

    def add(self, *point):
        self.points.append(list(point))
        if len(self.points) > MOST_POINTS:
            pairs = zip(self.points[0::2], self.points[1::2])
            self.points = [[None if None in v else statistics.fmean(v) for v in zip(a, b)] for a, b in pairs]

    def column(self, i):
        return [(p[0], p[i]) for p in self.points if p[i] is not None]


def empty(options):
    return {'format': FORMAT, 'options': options, 'parts': [], 'air_s': 0.0, 'wall_s': 0.0, 'device_s': 1000, 'next': {}, 'ends': {},
            'told': {}, 'restarts': {}, 'sizes': {}, 'latency': {}, 'streams': {}, 'cpu': {}, 'unexplained': [], 'n_unexplained': 0, 'wrong': [], 'n_wrong': 0}


def of_end(state, end):
    return state['ends'].setdefault(end, {'sent': 0, 'arrived': 0, 'changed': 0, 'lost': {}, 'exposed': {}, 'clear': 0, 'clear_lost': 0, 'fits': 0, 'clear_s': 0.0, 'exposed_s': 0.0})


def keep(state, what, item):
    state['n_' + what] += 1
    if len(state[what]) < MOST_KEPT:
        state[what].append(item)


def path(folder):
    return os.path.join(folder, 'state.json')


def save(folder, state):
    with open(path(folder) + '.new', 'w') as f:
        f.write(json.dumps(state))   # json.dump is many times slower
        f.flush()
        os.fsync(f.fileno())
    os.replace(path(folder) + '.new', path(folder))


def load(folder):
    """ValueError: one line."""
    try:
        with open(path(folder)) as f:
            state = json.load(f)
    except OSError as e:
        raise ValueError('--resume %s: %s; accepted: the output folder of a soak' % (folder, e.strerror))
    except ValueError:
        raise ValueError('--resume %s: state.json is damaged; accepted: the output folder of a soak' % folder)
    if state.get('format') != FORMAT:
        raise ValueError('--resume %s: of another version of this script; accepted: a folder of this one' % folder)
    return state
