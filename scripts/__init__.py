"""So that tests can import scripts.demo_lib from the source root."""
