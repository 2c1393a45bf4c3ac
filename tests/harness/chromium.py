"""Debian's chromium, driven by chromium-driver. Its window has a size that a test chooses, and its console is kept."""
import atexit, os, sys, time

from tests.harness.cases import skip_all

CHROMIUM, DRIVER, PYTHON = '/usr/bin/chromium', '/usr/bin/chromedriver', '/usr/bin/python3'  # Debian's own, which python3-selenium belongs to
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
except ImportError:
    if os.path.exists(PYTHON) and not os.path.samefile(sys.executable, PYTHON):
        os.execv(PYTHON, [PYTHON, *sys.orig_argv[1:]])
    skip_all('python3-selenium is not installed (scripts/setup --test)')
if not os.path.exists(CHROMIUM) or not os.path.exists(DRIVER):
    skip_all('chromium and chromium-driver are not installed (scripts/setup --test)')


def start():
    o = webdriver.ChromeOptions()
    o.binary_location = CHROMIUM
    for a in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run', '--disable-background-networking'):
        o.add_argument(a)
    o.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    return webdriver.Chrome(service=Service(DRIVER), options=o)


class Browser:
    """One chromium serves all cases of a run, one after the other, since it takes seconds to start."""
    driver = None

    def __init__(self, width=1280, height=900, dark=False):
        if Browser.driver is None:
            Browser.driver = start()
            atexit.register(Browser.driver.quit)
        self.d = Browser.driver
        self.size(width, height)
        self.dark(dark)

    def __enter__(self):
        self.d.get('about:blank')
        self.console()
        return self

    def __exit__(self, *_):
        self.d.get('about:blank')

    def size(self, width, height=900, ratio=1):
        self.d.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {'width': width, 'height': height, 'deviceScaleFactor': ratio, 'mobile': False})

    def dark(self, on):
        self.media(scheme='dark' if on else 'light')

    def media(self, media='', scheme='light'):
        self.d.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': media, 'features': [{'name': 'prefers-color-scheme', 'value': scheme}]})

    def open(self, address):
        self.d.get(address)

    def settled(self):
        """Two frames were drawn: observers of sizes were told, and what they change is laid out."""
        self.d.set_script_timeout(120)
        self.d.execute_async_script('const done = arguments[arguments.length - 1]; requestAnimationFrame(() => requestAnimationFrame(() => done()));')

    def js(self, text, *arguments):
        return self.d.execute_script(text, *arguments)

    def all(self, selector):
        return self.d.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.d.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.js('return document.querySelector(arguments[0])?.textContent ?? ""', selector)

    def wait(self, what, seconds=60, why=''):
        """Until a function, or JavaScript, gives something true."""
        end = time.monotonic() + seconds
        while True:
            found = self.js('return (%s)' % what) if isinstance(what, str) else what()
            if found:
                return found
            assert time.monotonic() < end, 'not within %d s: %s %s; console: %s' % (seconds, what, why, self.console())
            time.sleep(0.05)

    def console(self):
        """What the console said since the last call."""
        return ['%s %s' % (x['level'], x['message']) for x in self.d.get_log('browser') if x['level'] in ('SEVERE', 'WARNING')]

    def errors(self):
        """Those of console(), without warnings."""
        return [x for x in self.console() if x.startswith('SEVERE')]

    def picture(self, place):
        self.d.save_screenshot(place)
