"""GNU Radio's UHD source, unmodified, on type=virtual. Skipped where GNU Radio is not installed."""
import re, subprocess

from tests.harness.air import Air
from tests.harness.cases import main, skip_all
from tests.harness.paths import ENV

PYTHON = "/usr/bin/python3"
GRAPH = """
import time, numpy as np
from gnuradio import blocks, gr, uhd
top = gr.top_block()
source = uhd.usrp_source({device!r}, uhd.stream_args(cpu_format='fc32', channels=[0]))
source.set_samp_rate(1.92e6)
source.set_center_freq(2.4e9, 0)
head, sink = blocks.head(gr.sizeof_gr_complex, 1000000), blocks.vector_sink_c()
top.connect(source, head, sink)
started = time.time()
top.run()
x = np.array(sink.data())
print('RESULT', len(x), float(np.mean(np.abs(x) ** 2)), time.time() - started)
"""


def test_a_flow_graph_of_a_million_samples():
    with Air("nodes: {mary: {noise_dbfs: -20}}") as air:
        p = subprocess.run([PYTHON, "-c", GRAPH.format(device=air.device("mary"))], env=ENV, capture_output=True, text=True, timeout=100)
        m = re.search(r"RESULT (\d+) ([0-9.e-]+) ([0-9.]+)", p.stdout)
        assert p.returncode == 0 and m, p.stdout + p.stderr
        assert int(m[1]) == 1000000 and abs(float(m[2]) / 0.01 - 1) < 0.05, p.stdout
        assert not re.search(r"(^|\n)[ODUL]+(\n|$)", p.stderr), p.stderr
        print(f"{m[1]} samples in {float(m[3]):.2f} s at 1.92 Msps, mean power {float(m[2]):.5f}")


if __name__ == '__main__':
    found = subprocess.run([PYTHON, "-c", "from gnuradio import blocks, gr, uhd"], env=ENV, capture_output=True, text=True)
    if found.returncode != 0:
        skip_all("GNU Radio is not installed\n" + found.stderr[-300:])
    main()
