#!/usr/bin/env python3
"""Copies of the product's files in which checks of tests/adversary/mutants/checks.py can be switched off (PROSE_MUTANT).

    take_out.py SOURCE_DIR OUTPUT_DIR CHECK [CHECK ...]

Writes OUTPUT_DIR/FILE for each file that a named check is in; prints nothing. A check that no longer fits its file ends the build."""
import pathlib, sys


def main():
    source, output, names = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    sys.path.insert(0, str(source / "tests/adversary/mutants"))
    sys.dont_write_bytecode = True
    from checks import CHECKS

    texts = {}
    for name in names:
        edits = [c for c in CHECKS if c[0] == name]
        if len(edits) != 1:
            sys.exit(f"checks.py has {len(edits)} checks named {name!r}")
        _, file, old, new, _ = edits[0]
        text = texts.get(file) or (source / file).read_text()
        if text.count(old) != 1:
            sys.exit(f"{name}: the text to change occurs {text.count(old)} times in {file}: {old!r}")
        texts[file] = text.replace(old, new.replace("MUTANT", f'::prose::mutant("{name}")'))
    for file, text in texts.items():
        path = output / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
