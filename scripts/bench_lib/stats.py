"""Whether one build is slower than another, from pairs that were measured one right after the other.

The ratio A / B of each pair is judged, not the figures themselves: what slows both down for a while cancels. The interval is that of order statistics: it
holds the true median of the ratio with at least 95 %, whatever the distribution. With fewer than 6 rounds there is no such interval."""
import math, statistics

LEVEL = 0.95
FEWEST_ROUNDS = 6        # 1 - 2 / 2^6 is 0.97, with 5 it is 0.94
SLOWER, FASTER, SAME, TOO_FEW = 'slower', 'faster', 'no difference shown', 'too few rounds to tell'


def coverage(n, k):
    """Chance that the median of a distribution lies between the k-th least and the k-th greatest of n values drawn from it."""
    return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2 ** n


def interval(values):
    """(low, high, coverage) of the median: the narrowest of LEVEL at least; least and greatest value where none reaches it."""
    v = sorted(values)
    k = max((k for k in range(1, (len(v) + 1) // 2 + 1) if coverage(len(v), k) >= LEVEL), default=1)
    return v[k - 1], v[-k], max(0.0, coverage(len(v), k))


def compare(a, b, least):
    """Figures of A and B, pair by pair. `least`: a difference of this share or less is not told (0.01: 1 %)."""
    ratios = [x / y for x, y in zip(a, b)]
    low, high, sure = interval(ratios)
    if len(ratios) < FEWEST_ROUNDS:
        verdict = TOO_FEW
    else:
        verdict = SLOWER if low > 1 + least else FASTER if high < 1 / (1 + least) else SAME
    return {'ratio': statistics.median(ratios), 'low': low, 'high': high, 'coverage': sure, 'verdict': verdict}
