"""One row after the other: A B, B A, A B and so on, so that what changes slowly meets both alike."""
import os, shutil, statistics

from . import machine, stats
from .programs import failed, left_out


def measure(row, sides, rounds, programs, folder, told=lambda i: None):
    """What the report has of a row: {'row', 'unit', 'figures': {name: {'A': [..], 'B': [..]}}, 'others_share': [..]}. left_out, failed."""
    for s in sides:
        s.wants(row.targets)
    os.mkdir(folder)
    try:
        row.prepare(sides, programs, folder)
        out = {'row': row.name, 'unit': row.unit, 'figures': {}, 'others_share': []}
        for i in range(rounds):
            told(i)
            for s in sides if i % 2 == 0 else sides[::-1]:
                w = machine.watch()
                for what, value in row.measure(s, programs, folder).items():
                    if not value > 0:
                        raise failed('%s: %s%s: %r is no figure' % (s.name, row.name, what, value))
                    out['figures'].setdefault(row.name + what, {}).setdefault(s.name, []).append(value)
                out['others_share'].append(round(w.others_share(), 3))
        return out
    finally:
        programs.stop_all()
        shutil.rmtree(folder)


def judged(measured, least):
    """Rows of the report."""
    out = []
    for name, values in measured['figures'].items():
        entry = {'name': name, 'unit': measured['unit'], 'others_share': statistics.median(measured['others_share'])}
        for side, v in values.items():
            low, high, sure = stats.interval(v)
            entry[side] = {'median': statistics.median(v), 'low': low, 'high': high, 'coverage': sure, 'values': v}
        if len(values) == 2:
            entry.update(stats.compare(values['A'], values['B'], least))
        out.append(entry)
    return out
