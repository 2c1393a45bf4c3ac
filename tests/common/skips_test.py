"""What scripts/check_skips makes of results: skips are found in every form that the tests use, and with CI=true only those that no package helps
against are let pass. And what scripts/setup would install, by an apt that is none."""
import os, shutil, subprocess, tempfile, unittest
from xml.sax.saxutils import escape

from tests.harness.paths import SOURCE

TOOL = os.path.join(SOURCE, 'scripts', 'check_skips')
WHOLE = '<skipped message="SKIP_RETURN_CODE=77"/>'


def case(name, output='', inner='', status='run'):
    return '<testcase name="%s" classname="%s" time="1" status="%s">%s<system-out>%s</system-out></testcase>' % (name, name, status, inner, escape(output))


# Offers every name but those of LACKS; clang is version CLANG. Nothing is installed.
FAKES = {'apt-cache': '''#!/bin/sh
if [ "$1" = depends ]; then echo "clang"; echo "  Depends: clang-$CLANG"; exit 0; fi
shift
for n; do
  case " $LACKS " in *" $n "*) continue ;; esac
  printf '%s:\\n  Installed: (none)\\n  Candidate: 1.2\\n' "$n"
done
''', 'apt-get': '''#!/bin/sh
if [ "$1" = install ]; then echo "$@"; fi
''', 'dpkg-query': '''#!/bin/sh
exit 1
''', 'sudo': '''#!/bin/sh
exec "$@"
'''}
ENV = dict(os.environ, CI='true', LACKS='libclang-rt-14-dev', CLANG='19')


def setUpModule():
    folder = tempfile.mkdtemp()
    unittest.addModuleCleanup(shutil.rmtree, folder)
    for name, text in FAKES.items():
        with open(os.path.join(folder, name), 'w') as f:
            f.write(text)
        os.chmod(os.path.join(folder, name), 0o755)
    ENV['PATH'] = folder + ':' + os.environ['PATH']


def judge(*cases, ci='true', **more):
    with tempfile.NamedTemporaryFile('w', suffix='.xml') as f:
        f.write('<?xml version="1.0" encoding="UTF-8"?><testsuite name="x">%s</testsuite>' % ''.join(cases))
        f.flush()
        r = subprocess.run([TOOL, f.name], capture_output=True, text=True, env=dict(ENV, CI=ci, **more))
    return r.returncode, r.stdout + r.stderr


class skips(unittest.TestCase):
    def test_all_passed(self):
        code, said = judge(case('a', 'all well'), case('b'))
        self.assertEqual(code, 0, said)
        self.assertIn('2 tests: 2 passed, 0 failed, 0 skipped as a whole; 0 skips', said)

    def test_a_package_that_setup_installs_must_be_there_in_ci(self):
        for c in (case('a', 'skipped: tshark is not installed\n', WHOLE, 'notrun'),
                  case('a', 'OK x 0.1 s\nskipped: python3-uhd is not installed: rates\nOK y 0.1 s\n'),
                  case('a', '9 passed, 1 skipped\nSKIPPED [1] ../tests/python/interface_test.py:82: mypy is not installed\n'),
                  case('a', '[ RUN      ] p.q\n/x/y.cpp:36: Skipped\ntshark is not installed\n\n[  SKIPPED ] p.q (0 ms)\n'),
                  case('a', "test_x (__main__.y.test_x) ... skipped 'curl is not installed'\n"),
                  case('a', 'Ran 3 tests in 1.0s\n\nOK (skipped=1)\n'),
                  case('a', '[  SKIPPED ] p.q (0 ms)\n'),
                  case('a', '', WHOLE, 'notrun'),
                  case('a', '', '', 'disabled')):
            code, said = judge(case('b'), c)
            self.assertEqual(code, 1, said)
            self.assertIn('CI=true', said)
            code, said = judge(case('b'), c, ci='')
            self.assertEqual(code, 0, said)
            self.assertIn('  skipped  a: ', said)

    def test_a_reason_behind_the_dots_of_unittest_is_found(self):
        code, said = judge(case('a', '...skipped: no recordings at /r\ns.\nOK (skipped=1)\n'))
        self.assertEqual(code, 0, said)
        self.assertIn('a: no recordings at /r', said)

    def test_what_no_package_helps_against_may_skip(self):
        code, said = judge(case('a', 'skipped: GNU Radio is not installed\n', WHOLE, 'notrun'), case('b', 'x.cpp:1: Skipped\nno recordings at /r\n\n[  SKIPPED ] p.q (0 ms)\n'),
                           case('hil', 'PROSE_HIL_DEVICES is not set', '<skipped message="SKIP_REGULAR_EXPRESSION"/>', 'notrun'))
        self.assertEqual((code, 'PROSE_HIL' in said), (1, False), said)  # only with its reason in one of the forms
        code, said = judge(case('a', 'skipped: GNU Radio is not installed\n', WHOLE, 'notrun'), case('b', 'x.cpp:1: Skipped\nno recordings at /r\n\n[  SKIPPED ] p.q (0 ms)\n'),
                           case('hil', 'x.cpp:64: Skipped\nPROSE_HIL_DEVICES is not set\n', '<skipped message="SKIP_REGULAR_EXPRESSION"/>', 'notrun'))
        self.assertEqual(code, 0, said)
        self.assertIn('3 tests: 1 passed, 0 failed, 2 skipped as a whole; 3 skips with those inside tests', said)

    def test_what_the_release_lacks_may_skip(self):
        c = case('a', 'skipped: librapidcheck-dev is not installed\n', WHOLE, 'notrun')
        self.assertEqual(judge(c)[0], 1)
        code, said = judge(c, LACKS='librapidcheck-dev')
        self.assertEqual(code, 0, said)

    def setup(self, *args, **more):
        r = subprocess.run([os.path.join(SOURCE, 'scripts', 'setup'), *args], capture_output=True, text=True, env=dict(ENV, **more))
        return r.returncode, (r.stdout + r.stderr).split()

    def test_setup_looks_names_up(self):
        for lacks, clang, wanted in (('libclang-rt-dev', '14', 'libclang-rt-14-dev'),  # Debian 12
                                     ('libclang-rt-14-dev', '19', 'libclang-rt-dev'),  # Debian 13
                                     ('libclang-rt-dev libclang-rt-14-dev', '14', 'libclang-common-14-dev')):
            code, said = self.setup('--dev', LACKS=lacks, CLANG=clang)
            self.assertEqual(code, 0, said)
            self.assertIn('install', said)
            self.assertEqual([w for w in dict.fromkeys(said) if w.startswith('libclang')], [wanted])

    def test_setup_in_groups(self):
        run, test, dev = (set(self.setup(*a)[1]) for a in ((), ('--test',), ('--dev',)))
        self.assertTrue(run < test < dev)
        self.assertTrue({'libuhd-dev', 'cmake'} <= run and {'tshark', 'spass'} <= test - run and {'clang'} <= dev - test)
        self.assertEqual(set(self.setup('--dev', '--test')[1]), dev)
        self.assertEqual(self.setup('--all')[0], 2)

    def test_setup_tells_what_the_release_lacks(self):
        code, said = self.setup('--test', LACKS='librapidcheck-dev')
        self.assertEqual((code, said[:9]), (0, 'setup: not in this release, and left out: librapidcheck-dev'.split()))
        code, said = self.setup(LACKS='libuhd-dev')
        self.assertEqual((code, 'install' in said, 'libuhd-dev;' in said), (1, False, True), said)
        self.assertEqual(self.setup('--lacking', LACKS='libuhd-dev clang'), (0, ['libuhd-dev', 'clang']))

    def test_failures_are_named_and_an_empty_run_is_none(self):
        code, said = judge(case('a', 'x', '<failure message="Failed"/>', 'fail'), case('b'))
        self.assertIn('2 tests: 1 passed, 1 failed', said)
        self.assertIn('  failed   a', said)
        self.assertEqual(judge()[0], 1)
        self.assertEqual(subprocess.run([TOOL, '/nowhere.xml'], capture_output=True).returncode, 1)


if __name__ == '__main__':
    unittest.main()
