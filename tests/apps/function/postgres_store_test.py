"""The C++ tests of the store and the server once more with PostgreSQL, and those of PostgreSQL alone."""
import os, subprocess, sys

from tests.harness.paths import tool
from tests.harness.postgres import PROGRAMS, Cluster, need_postgres


def main():
    need_postgres()
    cluster = Cluster()
    try:
        cluster.make()
        env = dict(os.environ, PROSE_TEST_POSTGRES=cluster.url(), PROSE_TEST_PSQL=os.path.join(PROGRAMS, 'psql'))
        for name, cases in (('postgres_test', '*'), ('function_test', 'store_test.*:function_server.*')):
            r = subprocess.run([tool(name), '--gtest_filter=' + cases, '--gtest_brief=1'], env=env)
            if r.returncode != 0:
                sys.exit(1)
    finally:
        cluster.remove()


if __name__ == '__main__':
    main()
