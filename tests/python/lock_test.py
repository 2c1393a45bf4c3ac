"""The interpreter's lock is free while C++ works: another thread gets to run, and is told that the object is in use."""
import os, threading

import numpy as np
import pytest

import prose
from tests.harness.paths import REGRESSION
from tests.python import signals

TM4 = os.path.join(REGRESSION, 'regression_tm4.sigmf-meta')
IN_USE = 'the object is in use by another thread'
MOST_CALLS = 200_000  # on a busy machine two threads seldom run at the same time


def receiver(**more):
    return prose.Receiver(np.zeros(7680 * 500, np.complex64), sample_rate_hz=7.68e6, carrier='prb=25,tm=4', sync='blind', **more)


def heard():
    r = prose.Receiver(TM4, judge=True, carrier='prb=25,tm=4', sync='gnss')
    list(r)
    return r


def loaded():
    rx = prose.SubframeReceiver(signals.CARRIER)
    rx.load(signals.subframe())
    return rx


SENT = [prose.Transmission(signals.PSSCH, signals.PAYLOAD)]
# What makes the object, the call that works long, and one that only looks whether the object is free.
CALLS = {
    'Receiver.__next__': (receiver, lambda r: list(r), lambda r: r.statistics),
    'Receiver.verdict': (heard, lambda r: r.verdict(), lambda r: r.statistics),
    'Recording.read': (lambda: prose.Recording(TM4), lambda r: r.read(), lambda r: r.read(0, 0)),
    'SubframeReceiver.load': (loaded, lambda r: r.load(signals.SUBFRAME), lambda r: r.find_pscch([])),
    'SubframeReceiver.grid': (loaded, lambda r: r.grid(), lambda r: r.find_pscch([])),
    'SubframeReceiver.find_pscch': (loaded, lambda r: r.find_pscch(), lambda r: r.find_pscch([])),
    'SubframeReceiver.decode_pssch': (loaded, lambda r: r.decode_pssch(signals.PSSCH), lambda r: r.find_pscch([])),
    'SubframeReceiver.detect_slss': (loaded, lambda r: r.detect_slss(), lambda r: r.find_pscch([])),
    'Transmitter.transmit': (lambda: prose.Transmitter(signals.CARRIER), lambda t: t.transmit(SENT), lambda t: t.transmit([])),
}


@pytest.mark.parametrize('name', CALLS)
def test_another_thread_runs_meanwhile(name):
    make, work, look = CALLS[name]
    thing, seen, calls = make(), set(), 0

    def worker():
        nonlocal calls
        while not seen and calls < MOST_CALLS:
            calls += 1
            try:
                work(thing)
            except RuntimeError as e:  # the other one was first
                assert str(e) == IN_USE

    t = threading.Thread(target=worker)
    t.start()
    while t.is_alive() and not seen:
        try:
            look(thing)
        except RuntimeError as e:
            seen.add(str(e))
    t.join()
    assert seen == {IN_USE}, calls
    try:
        look(thing)  # it can be used again
    except prose.Error:
        assert name == 'Receiver.__next__'


def test_receivers_of_their_own_give_each_thread_its_events():
    wanted = [(e.sample, e.data) for e in prose.Receiver(TM4, carrier='prb=25,tm=4', sync='gnss', loop=5) if e.event == 'tb']
    got = [None] * 4

    def worker(i):
        got[i] = [(e.sample, e.data) for e in prose.Receiver(TM4, carrier='prb=25,tm=4', sync='gnss', loop=5) if e.event == 'tb']

    threads = [threading.Thread(target=worker, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [wanted] * 4 and len(wanted) > 10
