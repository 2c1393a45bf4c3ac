"""Ten minutes (PROSE_LONG_RUN_SECONDS) of a busy 50-PRB carrier (a recording in ci16 of three UEs with traffic, looped) through the sniffer with everything
switched on, on one core: faster than real time, with memory that does not grow and progress shown."""
import json, os, re, subprocess, time

from tests.harness.cases import main
from tests.harness.files import json_lines, text_of
from tests.harness.paths import program
from tests.harness.scene import Scene

SIGNAL_S = int(os.environ.get('PROSE_LONG_RUN_SECONDS', 600))
ROUND_S = 10


def rss_mib(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open('/proc/%d/status' % pid).read()).group(1)) / 1024


def cpu_s(pid):
    f = open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf('SC_CLK_TCK')


def test_ten_minutes_on_one_core():
    with Scene(tm=int(os.environ.get('PROSE_TM', 4)), prb=50) as s:
        config = s.sniffer_config('gnss')
        s.record_busy(config, ROUND_S, payload_octets=500)
        core = str(sorted(os.sched_getaffinity(0))[0])
        begin = time.time()
        p = subprocess.Popen(['taskset', '-c', core, program('prose-sniffer'), '--config', config, '--iq', s.path('x.sigmf-meta'), '--loop', str(SIGNAL_S // ROUND_S),
                              '--plain', '--events', s.path('e.jsonl'), '--pcap', s.path('x.pcap'), '--keylog', s.path('john.keylog'), '--report', s.path('x.html'),
                              '--report', s.path('x.json'), '--compromised', s.path('keys', 'mary.key'), '--compromised', s.path('mary.keylog')],
                             stderr=subprocess.PIPE, text=True)
        memory, cpu, progress = [], 0, []
        for line in p.stderr:  # a line of progress every ten seconds
            m = re.match(r'([\d.]+) s: .*?(\d+) %.*?([\d.]+) x real time', line)
            if not m:
                print(line.rstrip())
                continue
            progress.append((float(m.group(1)), int(m.group(2))))
            memory.append((float(m.group(1)), rss_mib(p.pid)))
            cpu = max(cpu, cpu_s(p.pid))
            print('%s; RSS %.1f MiB, CPU %.1f s' % (line.strip(), memory[-1][1], cpu), flush=True)
        _, status, usage = os.wait4(p.pid, 0)
        took, cpu = time.time() - begin, usage.ru_utime + usage.ru_stime
        signal_s = json_lines(s.path('e.jsonl'))[-1]['samples'] / 15.36e6
        early = next((m for t, m in memory if t >= SIGNAL_S / 10), 0)
        print('%.0f s of signal in %.1f s (%.2f x real time), %.1f s of CPU (%.2f x on one core); RSS %.1f MiB at a tenth, %.1f MiB at the end, most %.1f MiB' %
              (signal_s, took, signal_s / took, cpu, signal_s / cpu, early, memory[-1][1] if memory else 0, usage.ru_maxrss / 1024))
        counts = json.loads(text_of(s.path('x.json')))['counts']
        print(counts)
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert abs(signal_s - SIGNAL_S) < 1, signal_s
        assert counts['sl_sch'] > 10 * SIGNAL_S / ROUND_S and counts['discovery'] > 50, counts
        # Other programs may hold the core as well, so its time counts, not the clock's.
        assert cpu < signal_s, 'slower than real time on one core'
        assert len(progress) >= 3 and progress == sorted(progress), progress
        assert memory[-1][1] < early + 16, 'memory grew from %.1f to %.1f MiB' % (early, memory[-1][1])


if __name__ == '__main__':
    main()
