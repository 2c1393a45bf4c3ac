"""The machine that was measured on, and what else it did meanwhile."""
import os, platform, re, resource, time

QUIET_SHARE = 0.1        # of all processors, for others
QUIET_LOAD = 0.5         # load average of the last minute for each processor
LOOK_S = 1.0
MOST_NAMED = 3
HZ = os.sysconf('SC_CLK_TCK')


def text_of(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ''


def first(pattern, text):
    m = re.search(pattern, text, re.M)
    return m.group(1).strip() if m else None


def describe():
    info, memory = text_of('/proc/cpuinfo'), first(r'^MemTotal:\s+(\d+)', text_of('/proc/meminfo'))
    flags = (first(r'^flags\s*:(.*)$', info) or '').split()
    return {'processor': first(r'^model name\s*:(.*)$', info) or platform.processor() or platform.machine(), 'processors': os.cpu_count(),
            'usable': len(os.sched_getaffinity(0)), 'vectors': [f for f in ('sse4_2', 'avx2', 'avx512f') if f in flags],
            'memory_gib': round(int(memory) / 2 ** 20, 1) if memory else None,
            'governor': text_of('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor').strip() or 'not told',
            'virtual': 'hypervisor' in flags, 'system': first(r'^PRETTY_NAME="?([^"]*)', text_of('/etc/os-release')), 'kernel': platform.release()}


def own_s():
    """Processor time of this script and of the programs that it started and that have ended."""
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def machine_s():
    """Processor time of everything since the machine started, what a hypervisor took for others included."""
    user, nice, system, _, _, irq, softirq, steal = (int(x) for x in text_of('/proc/stat').split('\n')[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / HZ


class watch:
    """What others use from here on. None of the programs that this script started may be running at both ends."""

    def __init__(self):
        self.began, self.all, self.own = time.monotonic(), machine_s(), own_s()

    def others_share(self):
        """Of all processors, 0 to 1."""
        took = (time.monotonic() - self.began) * os.cpu_count()
        return min(1.0, max(0.0, (machine_s() - self.all - own_s() + self.own) / took)) if took > 0 else 0.0


def by_process():
    out = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        name, _, rest = text_of('/proc/%s/stat' % pid).partition('(')[2].rpartition(')')
        fields = rest.split()
        if len(fields) > 13 and int(pid) != os.getpid():
            out[pid] = (name, (int(fields[11]) + int(fields[12])) / HZ)
    return out


def look():
    """Looks for LOOK_S at who uses the machine while this script does nothing."""
    before, w = by_process(), watch()
    time.sleep(LOOK_S)
    after = by_process()
    used = {}
    for pid, (name, s) in after.items():
        used[name] = used.get(name, 0.0) + max(0.0, s - before.get(pid, (name, 0.0))[1])
    busiest = sorted((n for n in used if used[n] >= 0.02 * LOOK_S), key=used.get, reverse=True)[:MOST_NAMED]
    return {'load': [round(x, 2) for x in os.getloadavg()], 'others_share': round(w.others_share(), 3), 'busiest': busiest}


def unquiet(seen):
    """What disturbs, in words; empty where the machine is quiet."""
    out = []
    if seen['load'][0] > QUIET_LOAD * os.cpu_count():
        out.append('the load average is %.1f on %d processors' % (seen['load'][0], os.cpu_count()))
    if seen['others_share'] > QUIET_SHARE:
        out.append('others use %.0f %% of the machine%s' % (100 * seen['others_share'], ' (%s)' % ', '.join(seen['busiest']) if seen['busiest'] else ''))
    return out
