"""Debian's Chromium for tests of pages, through its driver."""
import os, shutil, sys

from tests.harness.cases import skip_all

PYTHON = '/usr/bin/python3'  # Debian's own, which python3-selenium belongs to
CHROMIUM, DRIVER = '/usr/bin/chromium', '/usr/bin/chromedriver'


def need(module):
    """Skips without a browser. Starts the test module again with Debian's Python where this one has no selenium."""
    for path, package in ((CHROMIUM, 'chromium'), (DRIVER, 'chromium-driver')):
        if shutil.which(path) is None:
            skip_all(package + ' is not installed')
    try:
        import selenium  # noqa: F401
    except ImportError:
        if os.path.realpath(sys.executable) == os.path.realpath(PYTHON) or not os.path.exists(PYTHON):
            skip_all('python3-selenium is not installed')
        os.execv(PYTHON, [PYTHON, '-B', '-m', module, *sys.argv[1:]])


class Browser:
    def __init__(self, width=1280, height=900):
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service
        options = Options()
        options.binary_location = CHROMIUM
        for a in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--window-size=%d,%d' % (width, height)):
            options.add_argument(a)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.driver.set_script_timeout(120)
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def size(self, width, height=900):
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False})
        self.settled()

    def media(self, media='', scheme='light'):
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': media, 'features': [{'name': 'prefers-color-scheme', 'value': scheme}]})
        self.settled()

    def open(self, path):
        self.driver.get('file://' + os.path.abspath(path))
        self.settled()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def settled(self):
        """Two frames were drawn: observers of sizes were told, and what they change is laid out."""
        self.driver.execute_async_script('const done = arguments[arguments.length - 1]; requestAnimationFrame(() => requestAnimationFrame(() => done()));')

    def errors(self):
        """What the console told since the last call, worse than a warning."""
        return [x['message'] for x in self.driver.get_log('browser') if x['level'] == 'SEVERE']
