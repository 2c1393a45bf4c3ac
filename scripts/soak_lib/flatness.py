"""Whether a quantity that must not grow stays flat: memory, descriptors, latency.

The slope of memory and latency is Theil and Sen's, the median of the slopes of all pairs of points: single steps and outliers, as an allocator's or the machine's, do not move
it, a steady growth does. The first part is left out as warm-up. What counts is the growth over the time that was judged; a limit has a fixed part, for
what one step of an allocator or the scatter of medians amounts to, and a part for each hour of air. Of descriptors the last tenth is compared with the first: one
step is a leak there."""
import statistics

WARM_UP = 0.25            # of a process's life: links, queues and buffers reach their size, caches fill
WARM_UP_LEAST_S = 40.0    # a killed UE finds a mark up to 30 s ahead, is silent so long, and sets up its links then
BINS = 80                 # medians of so many parts are compared; all pairs of every sample would be too many
FEWEST_BINS = 12
SHORTEST_S = 30.0         # of what remains after the warm-up; a shorter life is not judged
# One octet string of 24 octets leaked for each packet is a chunk of 32 octets; a UE handles at least 12 packets a second here: 1.3 MiB an hour. A life of
# half an hour, 22 minutes after the warm-up, shows that.
MEMORY_LIMIT = (256 * 1024, 512 * 1024)   # octets: one or two steps of malloc's arena (128 KiB each), and an hour
# A descriptor more at the end than at the beginning is a leak, however long it took: what programs open while they run (keys, marks) they close at once.
DESCRIPTOR_LIMIT = (0.5, 0.0)
ENDS_SHARE = 0.1          # the begin and the end of a count, of the time that is judged
FEWEST_ENDS = 3           # bins; a short life has only one point in each
# Latency is spread over an SC period of 40 ms (up to 12 ms of deviation), so medians of a bin scatter by some ms; a queue that grows shows as more.
LATENCY_LIMIT = (0.010, 0.010)  # s


def bins(points, count=BINS):
    """Medians of `count` parts of equal length, without empty ones."""
    if not points:
        return []
    first, last = points[0][0], points[-1][0]
    width = (last - first) / count or 1.0
    parts = {}
    for t, v in points:
        parts.setdefault(min(int((t - first) / width), count - 1), []).append((t, v))
    return [(statistics.median(t for t, _ in p), statistics.median(v for _, v in p)) for _, p in sorted(parts.items())]


def slope(points):
    """Theil and Sen, per second."""
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:] if b[0] > a[0])


def steadily(part):
    return slope(part) * (part[-1][0] - part[0][0])


def between_ends(part):
    """Of the least at each end: what is open for a moment, as a file of keys is, stays out."""
    n = max(FEWEST_ENDS, int(ENDS_SHARE * len(part)))
    first, last = (min(v for _, v in p) for p in (part[:n], part[-n:]))
    return last - first


def judge(points, limit, growth_of=steadily):
    """points: (seconds of air, value) in order of time. A dict with `judged`; where it is, also `held`, slope an hour, growth and its limit."""
    if points:
        begin = points[0][0] + max(WARM_UP * (points[-1][0] - points[0][0]), WARM_UP_LEAST_S)
        points = [p for p in points if p[0] >= begin]
    part = bins(points)
    span = part[-1][0] - part[0][0] if part else 0.0
    if len(part) < FEWEST_BINS or span < SHORTEST_S:
        return {'judged': False, 'span_s': span}
    growth = growth_of(part)
    most = limit[0] + limit[1] * span / 3600
    return {'judged': True, 'held': growth <= most, 'span_s': span, 'per_hour': growth / span * 3600, 'growth': growth, 'limit': most,
            'median': statistics.median(v for _, v in part)}
