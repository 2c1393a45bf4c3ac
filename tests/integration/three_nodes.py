"""Mary, John and Peter on three devices: every claim of scripts/demo must hold.
usage: three_nodes.py BUILD air|devices [options of scripts/demo]
air: on the demonstration's own emulated air. devices: on those that PROSE_HIL_DEVICES="ARGS;ARGS;ARGS" names; with
--on-virtual an emulated air is started for them first. Exit 77: skipped."""
import json, os, re, signal, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
build, where, options = sys.argv[1], sys.argv[2], sys.argv[3:]
# What a loaded machine slows down are wall-clock limits, not the air.
command = [os.path.join(ROOT, 'scripts', 'demo'), '--no-build', '--build', build, '--patience', '4']
air = None
if where == 'devices':
    given = os.environ.get('PROSE_HIL_DEVICES', '')
    if '--on-virtual' in options:
        options.remove('--on-virtual')
        name = 'three%d' % os.getpid()
        air = subprocess.Popen([os.path.join(build, 'bin', 'prose-air'), '--config', os.path.join(ROOT, 'tests', 'integration', 'cabled_air.yaml'),
                                '--air', name, '--speed', '1'], stdout=subprocess.PIPE, text=True)
        assert 'ready' in air.stdout.readline()
        given = ';'.join('type=virtual,name=%s,air=%s' % (n, name) for n in ('one', 'two', 'three'))
    devices = [d for d in given.split(';') if d]
    if len(devices) < 3:
        print('skipped: PROSE_HIL_DEVICES="ARGS;ARGS;ARGS" names no three devices')
        sys.exit(77)
    command += ['--devices', ','.join('%s=%s' % x for x in zip(('mary', 'john', 'peter'), devices))]
try:
    with tempfile.TemporaryDirectory() as d:
        report = os.path.join(d, 'report.json')
        code = subprocess.run(command + ['--report', report, *options]).returncode
        result = json.load(open(report))
finally:
    if air:
        air.send_signal(signal.SIGINT)
        air.wait(20)
claims = result['claims']
failed = [c for c in claims if not c['held']]
# The demonstration must have said what it is for, and its exit code must agree with it.
words = ' | '.join(c['claim'] for c in claims)
for needed in ('Mary and John discovered', 'John and Peter discovered', 'never saw', 'four distinct', 'file of', 'rekey in mid-traffic', 'no record met a key', 'near a change of keys',
               'layer-2 IDs rotated', 'John shows Mary and Peter different ones', *(('come back as they went', 'goes on without them', 'within 2 s', 'recognise nothing that Mary sends') if '--with-function' in options else ()),
               *(('no frame of one link opens', 'sniffer says opaque', 'open her link with John and nothing else', 'nothing is proven and exits with 4') if where == 'air' else ())):
    assert needed in words, 'no claim about: ' + needed
assert (code == 0) == (not failed), 'exit code %d, failed claims: %s' % (code, failed)
assert not failed, failed
print('%d claims held' % len(claims))
