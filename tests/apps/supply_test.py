"""The SBOM against what the loader and dpkg say; what scripts/release takes and leaves; with PROSE_RELEASE_TARGETS a release of these programs."""
import glob, hashlib, json, os, re, shutil, subprocess, sys, tempfile, unittest

from tests.harness.files import write
from tests.harness.paths import BUILD, SOURCE

TARGETS = os.environ.get('PROSE_RELEASE_TARGETS')


def script(name, *arguments, **more):
    return subprocess.run([os.path.join(SOURCE, 'scripts', name), *arguments], capture_output=True, text=True, **more)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LC_ALL='C')).stdout


class supply(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = os.path.join(cls.folder.name, 's.json')
        r = script('sbom', BUILD, cls.file)
        assert (r.returncode, r.stderr) == (0, ''), r.stderr
        with open(cls.file) as f:
            cls.sbom = json.load(f)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_library_of_a_program_is_in_it(self):
        ids = {p['SPDXID']: p for p in self.sbom['packages']}
        # By another way than the script's: the libraries' names, and the packages that dpkg finds them in.
        programs = sorted(set(glob.glob(os.path.join(BUILD, 'bin', 'prose-*'))) - {os.path.join(BUILD, 'bin', 'prose-bench')})
        needed = {p: re.findall(r'NEEDED.*\[(.+)\]', output('readelf', '-d', p)) for p in programs}
        owners = {}
        for line in output('dpkg-query', '-S', *sorted({'*/' + l for libraries in needed.values() for l in libraries})).splitlines():
            package, _, path = line.partition(': ')
            owners.setdefault(os.path.basename(path), set()).add(package.split(':')[0])
        for p in programs:
            own = [f['SPDXID'] for f in self.sbom['files'] if f['fileName'].endswith('/' + os.path.basename(p))][0]
            linked = {ids[r['relatedSpdxElement']]['name'] for r in self.sbom['relationships'] if r['spdxElementId'] == own and r['relationshipType'] == 'DYNAMIC_LINK'}
            self.assertGreater(len(needed[p]), 2)
            for library in needed[p]:
                self.assertTrue(owners[library] & linked, (p, library, owners[library]))

    def test_it_is_spdx(self):
        s = self.sbom
        self.assertEqual((s['spdxVersion'], s['dataLicense'], s['SPDXID']), ('SPDX-2.3', 'CC0-1.0', 'SPDXRef-DOCUMENT'))
        ids = [x['SPDXID'] for x in s['packages'] + s['files']]
        self.assertEqual(len(ids), len(set(ids)))
        for i in ids:
            self.assertRegex(i, r'^SPDXRef-[A-Za-z0-9.-]+$')
        for r in s['relationships']:
            self.assertLessEqual({r['spdxElementId'], r['relatedSpdxElement']}, {*ids, 'SPDXRef-DOCUMENT'})
        self.assertRegex(s['creationInfo']['created'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        for p in s['packages'][1:]:
            if 'of no Debian package' in p['comment']:
                continue
            self.assertTrue(p['versionInfo'] and p['downloadLocation'] and p['externalRefs'][0]['referenceLocator'].startswith('pkg:deb/'), p)
        self.assertIn('libmbedcrypto', ' '.join(p['name'] for p in s['packages']))
        names = {p['name'] for p in s['packages']}
        self.assertIn('libexpected-dev', names, 'headers alone are compiled in too')
        self.assertFalse({n for n in names for tool in ('gtest', 'rapidcheck', 'benchmark') if tool in n}, 'what only tests use is not shipped')

    def test_the_same_build_gives_the_same_document(self):
        again = self.file + '.again'
        self.assertEqual(script('sbom', BUILD, again).returncode, 0)
        with open(self.file) as one, open(again) as two:
            self.assertEqual(one.read(), two.read())

    def test_what_is_of_no_package_and_what_is_not_shipped(self):
        """A build of two lines: a program with a library and a header of its own, a test with another header, and a program of an earlier build."""
        with tempfile.TemporaryDirectory() as d:
            at = lambda *name: os.path.join(d, *name)
            for folder in ('b/bin', 'lib', 'include/mine', 'include/tested', 'source'):
                os.makedirs(at(folder))
            write(at('include/mine/m.h'), 'int f();\n')
            write(at('include/tested/t.h'), '#include <mine/m.h>\n')
            write(at('source/l.cpp'), 'int f() { return 0; }\n')
            write(at('source/m.cpp'), '#include <mine/m.h>\nint main() { return f(); }\n')
            write(at('source/t.cpp'), '#include <tested/t.h>\nint main() { return f(); }\n')
            write(at('b/CMakeCache.txt'), 'CMAKE_HOME_DIRECTORY:INTERNAL=%s\nCMAKE_CACHEFILE_DIR:INTERNAL=%s\n' % (at('source'), at('b')))
            write(at('b/build.ninja'), """rule cc
  command = c++ -I../include -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = c++ $in -L../lib -lodd -Wl,-rpath,{lib} -o $out
rule shared
  command = c++ -shared -fPIC $in -o $out
build ../lib/libodd.so: shared ../source/l.cpp
build m.o: cc {source}/m.cpp
build t.o: cc {source}/t.cpp
build bin/prose-x: link m.o | ../lib/libodd.so
build the_test: link t.o | ../lib/libodd.so
""".format(lib=at('lib'), source=at('source')))
            made = subprocess.run(['ninja', '-C', at('b')], capture_output=True, text=True)
            self.assertEqual(made.returncode, 0, made.stdout)
            shutil.copy(at('b/bin/prose-x'), at('b/bin/prose-earlier'))
            r = script('sbom', at('b'), at('s.json'))
            self.assertEqual((r.returncode, r.stderr), (0, ''))
            with open(at('s.json')) as f:
                s = json.load(f)
            self.assertEqual([f['fileName'] for f in s['files']], ['./bin/prose-x'])
            packages = {p['name']: p for p in s['packages']}
            with open(at('lib/libodd.so'), 'rb') as f:
                self.assertEqual(packages['libodd.so']['checksums'][0]['checksumValue'], hashlib.sha256(f.read()).hexdigest())
            self.assertIn('mine', packages)
            self.assertNotIn('tested', packages)
            kinds = {r['relationshipType'] for r in s['relationships'] for i in (r['spdxElementId'], r['relatedSpdxElement'])
                     if i in (packages['libodd.so']['SPDXID'], packages['mine']['SPDXID'])}
            self.assertEqual(kinds, {'DYNAMIC_LINK', 'BUILD_DEPENDENCY_OF'})
            # Without the record of headers it would be a document that leaves out half.
            os.remove(at('b/.ninja_deps'))
            r = script('sbom', at('b'), at('none.json'))
            self.assertEqual((r.returncode, os.path.exists(at('none.json'))), (1, False), r.stderr)

    def test_a_tool_that_fails_leaves_no_document(self):
        """ninja and dpkg-query as they should be, then failing or (ninja before 1.11) without a list of objects."""
        with tempfile.TemporaryDirectory() as d:
            at = lambda *name: os.path.join(d, *name)
            os.makedirs(at('b/bin'))
            os.mkdir(at('tools'))
            shutil.copy('/bin/true', at('b/bin/prose-x'))
            write(at('b/build.ninja'), '')
            write(at('b/CMakeCache.txt'), 'CMAKE_HOME_DIRECTORY:INTERNAL=%s\n' % at('source'))
            write(at('tools/ninja'), '#!/bin/sh\ncase $4 in targets) echo "bin/prose-x: link" ;; inputs) echo "$OBJECTS" ;; '
                                     'deps) echo "    /usr/include/stdio.h" ;; esac\n[ "$4" != "$FAILS" ]\n', 0o755)
            write(at('tools/dpkg-query'), '#!/bin/sh\n[ "$FAILS" != dpkg-query ] || exit 1\nprintf "x\\t1\\tall\\tx\\t1\\t"\n', 0o755)

            def sbom(fails='', objects='m.o'):
                environment = dict(os.environ, PATH=at('tools') + ':' + os.environ['PATH'], FAILS=fails, OBJECTS=objects)
                return script('sbom', at('b'), at('s.json'), env=environment)
            for words, how in (('targets', {'fails': 'targets'}), ('inputs', {'fails': 'inputs'}), ('deps', {'fails': 'deps'}), ('dpkg-query', {'fails': 'dpkg-query'}),
                               ('ninja 1.11', {'objects': 'm.cpp'})):
                r = sbom(**how)
                self.assertEqual((r.returncode, len(r.stderr.splitlines()), os.path.exists(at('s.json'))), (1, 1, False), (how, r.stderr))
                self.assertIn(words, r.stderr)
            r = sbom()
            self.assertEqual((r.returncode, r.stderr), (0, ''))

    def test_a_release_that_fails_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as d:
            at = lambda *name: os.path.join(d, *name)
            os.makedirs(at('tree/scripts'))
            os.mkdir(at('tools'))
            shutil.copy(os.path.join(SOURCE, 'scripts', 'release'), at('tree/scripts/release'))
            write(at('tree/CMakeLists.txt'), 'project(prose VERSION 1.2.3 LANGUAGES CXX)\n')
            # Building writes the word DIFFERS, if it is one, behind the same text.
            for file, text in (('tools/cmake', 'case $1 in --build) [ "$FAILS" != build ] || exit 1; mkdir -p $2/bin; echo "$DIFFERS$([ -z "$DIFFERS" ] || pwd)" > $2/bin/prose-x ;; esac'),
                               ('tree/scripts/sbom', '[ "$FAILS" != sbom ] && echo {} > "$2"')):
                write(at(file), '#!/bin/sh\n' + text + '\n')
                os.chmod(at(file), 0o755)
            for command in (['init', '-q'], ['add', '-A'], ['-c', 'user.name=x', '-c', 'user.email=x@example.org', 'commit', '-qm', 'x']):
                subprocess.run(['git', '-C', at('tree'), *command], check=True)

            def release(**environment):
                return subprocess.run([at('tree/scripts/release'), '--output', at('out')], capture_output=True, text=True,
                                      env=dict(os.environ, PATH=at('tools') + ':' + os.environ['PATH'], **environment))
            for wrong in ({'FAILS': 'build'}, {'DIFFERS': 'yes'}, {'FAILS': 'sbom'}):
                r = release(**wrong)
                self.assertEqual((r.returncode, os.listdir(at('out'))), (1, []), (wrong, r.stderr))
            r = release()
            self.assertEqual(r.returncode, 0, r.stderr)
            names = ['prose-1.2.3.' + end for end in ('programs.sha256', 'spdx.json', 'tar.gz', 'tar.gz.sha256')]
            self.assertEqual(sorted(os.listdir(at('out'))), names)
            before = [os.stat(at('out', n)).st_ino for n in names]
            self.assertEqual(release(FAILS='sbom').returncode, 1)
            self.assertEqual([os.stat(at('out', n)).st_ino for n in sorted(os.listdir(at('out')))], before)

    def test_mistakes(self):
        for name, arguments in (('sbom', ()), ('sbom', ('--what', 'x')), ('release', ('--what',)), ('release', ('--output',))):
            self.assertEqual(script(name, *arguments).returncode, 2, (name, arguments))
        r = script('sbom', self.folder.name, self.file + '.none')
        self.assertEqual((r.returncode, len(r.stderr.splitlines())), (1, 1), r.stderr)


def a_release_is_the_same_twice(self):
    with tempfile.TemporaryDirectory() as d:
        tree, out = os.path.join(d, 'tree'), os.path.join(d, 'out')
        subprocess.run(['git', 'clone', '-q', '--no-hardlinks', SOURCE, tree], check=True)
        r = subprocess.run([os.path.join(tree, 'scripts', 'release'), '--output', out, '--targets', TARGETS], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertIn('two builds are equal', r.stdout)
        self.assertEqual(subprocess.run(['sha256sum', '-c', '--quiet', *glob.glob1(out, '*.tar.gz.sha256')], cwd=out).returncode, 0)
        # Control: what is not committed is no release.
        with open(os.path.join(tree, 'new'), 'w'):
            pass
        self.assertEqual(subprocess.run([os.path.join(tree, 'scripts', 'release'), '--output', out], capture_output=True).returncode, 1)


if TARGETS:
    supply.test_a_release_is_the_same_twice = a_release_is_the_same_twice

if __name__ == '__main__':
    if subprocess.run(['sh', '-c', 'command -v dpkg-query'], stdout=subprocess.DEVNULL).returncode != 0:
        print('skipped: dpkg is not installed')
        sys.exit(77)
    unittest.main()
