"""The SBOM against what the loader and dpkg say; what scripts/release takes; with PROSE_RELEASE_TARGETS a release of these programs."""
import glob, json, os, re, subprocess, sys, tempfile, unittest

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
        programs = sorted(glob.glob(os.path.join(BUILD, 'bin', 'prose-*')))
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
            self.assertTrue(p['versionInfo'] and p['downloadLocation'] and p['externalRefs'][0]['referenceLocator'].startswith('pkg:deb/'), p)
        self.assertIn('libmbedcrypto', ' '.join(p['name'] for p in s['packages']))
        self.assertIn('libexpected-dev', [p['name'] for p in s['packages']], 'headers alone are compiled in too')

    def test_the_same_build_gives_the_same_document(self):
        again = self.file + '.again'
        self.assertEqual(script('sbom', BUILD, again).returncode, 0)
        with open(self.file) as one, open(again) as two:
            self.assertEqual(one.read(), two.read())

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
