"""Runs the files *_test.py of this folder. Without any case it fails."""
import os, sys, unittest

here = os.path.dirname(os.path.abspath(__file__))
cases = unittest.defaultTestLoader.discover(here, '*_test.py', os.path.join(here, '..', '..', '..'))
passed = unittest.TextTestRunner(verbosity=2).run(cases).wasSuccessful()
sys.exit(not (passed and cases.countTestCases()))
