"""Mary, John and Peter on three devices: every claim of scripts/demo must hold.
usage: python3 -B -m tests.integration.three_nodes_test air|devices [options of scripts/demo]
air: on the demonstration's own emulated air. devices: on those that PROSE_HIL_DEVICES="ARGS;ARGS;ARGS" names; with
--on-virtual an emulated air is started for them first. Exit code 77: skipped."""
import contextlib, json, os, subprocess, sys, tempfile

from tests.harness.air import Air
from tests.harness.cases import skip_all
from tests.harness.files import text_of
from tests.harness.paths import BUILD, DEMO, SOURCE


def devices(on_virtual, stack):
    """Device arguments of three radios."""
    if on_virtual:
        air = stack.enter_context(Air(text_of(os.path.join(SOURCE, 'tests', 'integration', 'cabled_air.yaml')), start=None))
        return [air.device(n) for n in ('one', 'two', 'three')]
    given = [d for d in os.environ.get('PROSE_HIL_DEVICES', '').split(';') if d]
    if len(given) < 3:
        skip_all('PROSE_HIL_DEVICES="ARGS;ARGS;ARGS" names no three devices')
    return given


def main():
    where, options = sys.argv[1], sys.argv[2:]
    # A loaded machine slows down what has limits in wall-clock time, not the air.
    command = [DEMO, '--no-build', '--build', BUILD, '--patience', '4']
    with contextlib.ExitStack() as stack:
        if where == 'devices':
            on_virtual = '--on-virtual' in options
            options = [o for o in options if o != '--on-virtual']
            command += ['--devices', ','.join('%s=%s' % x for x in zip(('mary', 'john', 'peter'), devices(on_virtual, stack)))]
        report = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), 'report.json')
        code = subprocess.run(command + ['--report', report, *options]).returncode
        claims = json.loads(text_of(report))['claims']
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


if __name__ == '__main__':
    main()
