"""Folders of a test run. ctest gives PROSE_BUILD_DIR and PROSE_SHARED_IQ; without them: build and ../shared/iq of the source root."""
import os

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get('PROSE_BUILD_DIR') or os.path.join(SOURCE, 'build'))
BIN = os.path.join(BUILD, 'bin')
TOOLS = os.path.join(BUILD, 'tests')  # programs that only tests use
SHARED_IQ = os.environ.get('PROSE_SHARED_IQ') or os.path.join(SOURCE, '..', 'shared', 'iq')
REGRESSION = os.path.join(SOURCE, 'tests', 'data', 'regression')
DEMO = os.path.join(SOURCE, 'scripts', 'demo')
# Of programs with a radio: UHD loads the emulated device and does not greet.
ENV = dict(os.environ, UHD_MODULE_PATH=os.path.join(BUILD, 'uhd_modules'), UHD_LOG_CONSOLE_LEVEL='error')


def program(name):
    return os.path.join(BIN, name)


def tool(name):
    return os.path.join(TOOLS, name)
