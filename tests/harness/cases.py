"""Runs the cases of a test file: its functions named test_*."""
import concurrent.futures, inspect, sys, tempfile, time, unittest

SKIPPED = 77  # exit code, as ctest knows it
TRIES = 3


class TooSlow(AssertionError):
    """A limit in seconds of the wall clock was exceeded. A busy machine may cause that now and then, but not three times in a row."""


def keeps(limit_s, took_s, what):
    if took_s >= limit_s:
        raise TooSlow(f'{what}: {took_s:.2f} s, at most {limit_s} s')


def skip(why):
    raise unittest.SkipTest(why)


def skip_all(why):
    """For a whole test file."""
    print('skipped: ' + why)
    sys.exit(SKIPPED)


def call(case):
    """A case with a parameter gets an empty folder of its own."""
    if not inspect.signature(case).parameters:
        return case()
    with tempfile.TemporaryDirectory() as folder:
        case(folder)


def run(case):
    started = time.monotonic()
    for tries_left in reversed(range(TRIES)):
        print('RUN ', case.__name__, flush=True)
        try:
            call(case)
            break
        except unittest.SkipTest as e:
            print(f'skipped: {e}: {case.__name__}', flush=True)
            return
        except TooSlow as e:
            if not tries_left:
                raise
            print('SLOW', case.__name__, e, flush=True)
    print('OK  ', case.__name__, f'{time.monotonic() - started:.1f} s', flush=True)


def main(at_once=1):
    """Runs the cases of the module that was started, in their order; those whose names the command line gives, if it gives any. The first that
    fails ends the run. Cases that mostly wait for the clock can run side by side: so many `at_once`."""
    cases = [f for name, f in vars(sys.modules['__main__']).items() if name.startswith('test_') and getattr(f, '__module__', '') == '__main__']
    wanted = sys.argv[1:]
    unknown = set(wanted) - {f.__name__ for f in cases}
    if unknown or not cases:
        sys.exit('no such cases: %s' % ' '.join(sorted(unknown)))
    chosen = [f for f in cases if not wanted or f.__name__ in wanted]
    if at_once == 1:
        for f in chosen:
            run(f)
        return
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        runs = [pool.submit(run, f) for f in chosen]
        try:
            for r in concurrent.futures.as_completed(runs):
                r.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
