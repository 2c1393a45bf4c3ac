"""What the live page's data cost in processor time, beside a sniffer that has no reader: python3 -B -m tests.page.cost [SECONDS]. No test: it needs a machine
without other work. Three UEs with traffic on an emulated air of 25 PRB in real time; one browser."""
import os, sys, time

from tests.harness.paths import program
from tests.harness.scene import Scene
from tests.page.browser import Browser, Page


def cpu_s(pid):
    """Processor time of a process so far."""
    fields = open('/proc/%d/stat' % pid).read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def main(seconds):
    with Scene(tm=2, prb=25, speed='1') as s:
        config = s.sniffer_config('gnss')
        plain = s.start('prose-sniffer', 'plain', '--config', config, '--device', s.air.device('plain'), '--plain', events='plain.jsonl')
        looked = s.start('prose-sniffer', 'looked', '--config', config, '--device', s.air.device('looked'), '--plain', '--look', s.path('look'), events='looked.jsonl')
        s.start_ues(traffic=True)
        page = Page(s.path('page.log'), '--look', s.path('look'), '--events', s.path('looked.jsonl'), *[x for n in ('mary', 'john', 'peter') for x in ('--ue', '%s=%s' % (n, s.path(n + '.jsonl')))])
        try:
            browser = Browser(page)
            stream, send = browser.stream(), s.sender(200, 0.2)
            s.until_linked(1, meanwhile=lambda: (send(), stream.take()))
            processes = {'sniffer': plain.p.pid, 'sniffer with a reader': looked.p.pid, 'prose-page': page.p.pid}
            air_s = lambda: s.events('looked')[-1]['t']  # on a busy machine the air is slower than real time
            begin, start, got = {k: cpu_s(p) for k, p in processes.items()}, air_s(), stream.octets
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                send()
                stream.take()
                time.sleep(0.01)
            passed = air_s() - start
            used = {k: 100 * (cpu_s(p) - begin[k]) / passed for k, p in processes.items()}
            print('%.1f s of the air in %.1f s' % (passed, seconds))
            for k, v in used.items():
                print('%-24s %5.1f %% of a core' % (k, v))
            print('the page: %.1f %% of a core; %.0f kB/s to the browser' % (used['sniffer with a reader'] - used['sniffer'] + used['prose-page'],
                                                                             (stream.octets - got) / passed / 1000))
        finally:
            page.stop()


if __name__ == '__main__':
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
