"""What cmake/hardening.cmake asks for, read off the programs, the UHD module and the module of the Python package."""
import glob, os, re, shutil, subprocess, sys, tempfile, unittest

from tests.harness.paths import BIN, BUILD

COMPILER = os.environ.get('PROSE_CXX', 'c++')


def readelf(path, *options):
    return subprocess.run(['readelf', '-W', *options, path], capture_output=True, text=True, check=True, env=dict(os.environ, LC_ALL='C')).stdout


def faults(path):
    """What a program lacks."""
    header, segments, dynamic, symbols = readelf(path, '-h'), readelf(path, '-l'), readelf(path, '-d'), readelf(path, '--dyn-syms')
    stack = re.search(r'GNU_STACK .* (\S+)\s+0x\w+$', segments, re.M)
    shared = path.endswith('.so')
    checks = {
        'position-independent': re.search(r'Type: +DYN', header) and (shared or re.search(r'FLAGS_1.* PIE', dynamic)),
        'no executable stack': stack and 'E' not in stack[1],
        'no segment to write and execute': not re.search(r'^ *LOAD .* RWE', segments, re.M),
        'relocations read-only': 'GNU_RELRO' in segments and re.search(r'BIND_NOW|FLAGS_1.* NOW', dynamic),
        'no relocations of code': 'TEXTREL' not in dynamic,
        'stack protector': '__stack_chk_fail' in symbols,
        'fortified calls': re.search(r'__\w+_chk@', re.sub(r'__stack_chk\w*', '', symbols)),
    }
    return [name for name, holds in checks.items() if not holds]


class hardened(unittest.TestCase):
    def test_every_program_is(self):
        programs = sorted(glob.glob(os.path.join(BIN, 'prose-*')) + glob.glob(os.path.join(BUILD, 'uhd_modules', '*.so')) + glob.glob(os.path.join(BUILD, 'python', 'prose', '*.so')))
        self.assertLessEqual({'prose-ue', 'libprose_uhd_virtual.so'}, set(map(os.path.basename, programs)))
        for p in programs:
            with self.subTest(os.path.basename(p)):
                self.assertEqual(faults(p), [])

    def test_control_a_program_without_all_this_is_found(self):
        with tempfile.TemporaryDirectory() as d:
            source, weak = os.path.join(d, 'weak.cpp'), os.path.join(d, 'weak')
            with open(source, 'w') as f:
                f.write('#include <cstdio>\nint main(int n, char** a) { char b[64]; std::sprintf(b, "%s", a[n - 1]); return b[0]; }\n')
            subprocess.run([COMPILER, '-O2', '-w', '-fno-stack-protector', '-U_FORTIFY_SOURCE', '-no-pie', '-Wl,-z,norelro,-z,lazy,-z,execstack', source, '-o', weak],
                           check=True, stderr=subprocess.DEVNULL)
            self.assertEqual(set(faults(weak)) - {'no segment to write and execute'},
                             {'position-independent', 'no executable stack', 'relocations read-only', 'stack protector', 'fortified calls'})


if __name__ == '__main__':
    if shutil.which('readelf') is None:
        print('skipped: binutils is not installed')
        sys.exit(77)
    unittest.main()
