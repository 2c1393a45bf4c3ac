"""How much of what is sent where no cause is at work may be lost on the air. UEs draw their places at random, so some meet.

A packet is one block, in one SC period (TM2) or one selection window (TM4). It is lost where the receiver sends itself in each subframe of its copies, or
where a third UE does on the same PRBs; with TM2 also where that befalls both of its announcements. The sets of subframes are taken as drawn uniformly. The
chance that a UE sends in the same period is its load: so many directions, each with a packet every EVERY_S at most, each packet in a period of its own.
That is the most: a direction in which a packet is lost waits, and links that are down send nothing."""
import math

from ..demo_lib.world import ENDS, NAMES

EVERY_S = 0.1             # of air, between two packets of a direction, in the mean
# (subframes to draw from, of these for one packet, chance that two UEs use the same PRBs), as mac/default_pools.cpp has the pools.
# TM2: both announcements in the 8 subframes of PSCCH, each in one half of the PRBs (TS 36.213 14.2.1.1); copies by a pattern of 4 of 8 subframes, at one of the
# places side by side that 12 PRBs have, which the longest packet takes.
# TM4: two transmissions, announced beside them, in a window of 20 subframes less one of SLSS, the second up to 15 after the first: drawn from 15.
PERIOD_S = {'2': 0.040, '4': 0.020}
DRAWS = {('2', '25'): ((8, 2, 1 / 12), (8, 4, 1 / 2)), ('2', '50'): ((8, 2, 1 / 25), (8, 4, 1 / 4)),
         ('4', '25'): ((15, 2, 1.0),), ('4', '50'): ((15, 2, 1.0),)}
DEVIATIONS = 4            # of a binomial count: by chance one of 30 000 counts is higher


def all_met(n, own, receiver, third):
    """The chance that `own` of n subframes are all among `receiver` or `third` others, each drawn at random."""
    def among(part, drawn):
        return math.comb(n - part, drawn - part) / math.comb(n, drawn) if drawn >= part else 0.0

    def hits(k):
        return math.comb(own, k) * math.comb(n - own, receiver - k) / math.comb(n, receiver) if k <= receiver else 0.0
    return sum(hits(k) * among(own - k, third) for k in range(own + 1))


def load(name, tm):
    return min(1.0, sum(a == name for a, _ in ENDS) * PERIOD_S[tm] / EVERY_S)


def share_lost(a, b, tm, prb):
    """Of the packets from a to b."""
    receiver, third = load(b, tm), load(next(n for n in NAMES if n not in (a, b)), tm)
    passes = 1.0
    for n, own, same_prbs in DRAWS[tm, prb]:
        other = third * same_prbs
        met = (receiver * other * all_met(n, own, own, own) + receiver * (1 - other) * all_met(n, own, own, 0) +
               (1 - receiver) * other * all_met(n, own, 0, own))
        passes *= 1 - met
    return 1 - passes


def most_lost(a, b, options, packets):
    expected = share_lost(a, b, options['tm'], options['prb']) * packets
    return expected + DEVIATIONS * math.sqrt(expected)
