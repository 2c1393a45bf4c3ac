#!/usr/bin/env python3
"""Copies of the product's files in which checks of tests/adversary/mutants/checks.py can be switched off (PROSE_MUTANT).

    python3 -m tests.noninterference.take_out SOURCE_DIR OUTPUT_DIR CHECK [CHECK ...]

Writes OUTPUT_DIR/FILE for each file that a named check is in; prints nothing. A check that no longer fits its file ends the build."""
import pathlib, sys

from tests.adversary.mutants.checks import CHECKS
from tests.harness.source_edit import replace_once


def main():
    source, output, names = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    texts = {}
    for name in names:
        edits = [c for c in CHECKS if c[0] == name]
        if len(edits) != 1:
            sys.exit(f"checks.py has {len(edits)} checks named {name!r}")
        _, file, old, new, _ = edits[0]
        text = texts.get(file) or (source / file).read_text()
        texts[file] = replace_once(text, old, new.replace("MUTANT", f'::prose::mutant("{name}")'), f"{name} in {file}")
    for file, text in texts.items():
        path = output / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
