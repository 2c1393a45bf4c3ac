"""No branch and no address of the algorithms of TS 33.303 depends on a key or on what is protected: valgrind's memcheck over secret_flow.cpp."""
import unittest

from tests.security.secret_flow import secret_flow_test
from tests.security.secret_flow.secret_flow_test import REPORTED, memcheck


class ts33303_secret_flow(unittest.TestCase):
    def test_nothing_depends_on_a_secret(self):
        r = memcheck(program='ts33303_secret_flow')
        self.assertEqual((r.returncode, r.stdout), (0, 'from KD to MAC-I with every algorithm\n'), r.stderr[-4000:])

    def test_an_s_box_in_a_table_is_reported(self):
        r = memcheck('leak', program='ts33303_secret_flow')
        self.assertEqual(r.returncode, REPORTED)
        self.assertIn('substitute_from_a_table', r.stderr)


if __name__ == '__main__':
    secret_flow_test.main()
