"""Runs a file of this folder with pytest, for the Python that the package is built for. usage: python3 -m tests.python.run FILE [PYTEST ARGUMENTS]"""
import os, shutil, subprocess, sys

from tests.harness.cases import skip_all
from tests.harness.paths import BUILD, SOURCE

PYTHON = os.environ.get('PROSE_PYTHON') or '/usr/bin/python3'


def main():
    lacks = os.environ.get('PROSE_PYTHON_LACKS')
    if lacks:
        skip_all(lacks + ' is not installed')
    for module, package in (('numpy', 'python3-numpy'), ('pytest', 'python3-pytest')):
        if subprocess.run([PYTHON, '-c', 'import ' + module], capture_output=True).returncode != 0:
            skip_all(package + ' is not installed')
    file, *more = sys.argv[1:]
    if file == 'examples_test.py' and shutil.which('gnuplot') is None:
        skip_all('gnuplot-nox is not installed')
    env = dict(os.environ, PYTHONPATH=os.pathsep.join((os.path.join(BUILD, 'python'), SOURCE)))
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(subprocess.run([PYTHON, '-B', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-rs', os.path.join(here, file), *more], env=env).returncode)


if __name__ == '__main__':
    main()
