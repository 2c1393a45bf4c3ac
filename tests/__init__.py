"""The tests. Python tests run as modules from the source root: python3 -B -m tests.apps.cli_test"""
