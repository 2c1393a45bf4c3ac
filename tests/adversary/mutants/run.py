#!/usr/bin/env python3
"""Takes the product's security checks out, one at a time, and demands that a test of the security sublayer fails for each.

A copy of the source is made in which every check of checks.py can be switched off by an environment variable; the tests of that copy
are built once and run once per check. The product itself knows nothing of this.

    python3 -m tests.adversary.mutants.run SOURCE_DIR WORK_DIR [--only PART_OF_NAME] [--jobs N] [--fit]

Exit 0: every check was missed by some test, the unchanged copy passed, and the harmless changes passed."""
import argparse, os, pathlib, re, shutil, subprocess, sys

from tests.adversary.mutants.checks import CHECKS, HARMLESS
from tests.harness.source_edit import replace_once

PROPERTY = "security_property_test"
TARGETS = [*dict.fromkeys(check[4] for check in CHECKS), PROPERTY]
LEFT_OUT = {".git", "build", "docs", "__pycache__"}
TIMEOUT_S = 300


def edited(source):
    """The text of each file that holds a check, by its name."""
    changed = {}
    for name, file, old, new, _ in CHECKS + HARMLESS:
        text = changed.get(file) or (source / file).read_text()
        changed[file] = replace_once(text, old, new.replace("MUTANT", f'::prose::mutant("{name}")'), f"{name} in {file}")
    return changed


def copy_tree(source, copy):
    """Only files that differ are written, so that a second run rebuilds little."""
    changed = edited(source)
    for root, dirs, files in os.walk(source):
        dirs[:] = [d for d in dirs if d not in LEFT_OUT and not d.startswith("build")]
        for f in files:
            path = pathlib.Path(root) / f
            rel = str(path.relative_to(source))
            to = copy / rel
            data = changed[rel].encode() if rel in changed else path.read_bytes()
            if to.exists() and to.read_bytes() == data:
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
            shutil.copymode(path, to)


def run_test(build, target, name):
    """None where the program passes, else the first test that failed, or how the program ended."""
    env = dict(os.environ, PROSE_MUTANT=name, RC_PARAMS="seed=1", GTEST_FAIL_FAST="1", GTEST_COLOR="no")
    env.pop("GTEST_FILTER", None)
    try:
        r = subprocess.run([str(build / "tests" / target)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S,
                           cwd=build, errors="replace")
    except subprocess.TimeoutExpired:
        return f"{target} (no end within {TIMEOUT_S} s)"
    if r.returncode == 0:
        return None
    failed = re.search(r"\[  FAILED  \] (\S+)", r.stdout)
    if failed:
        return f"{target}: {failed.group(1).rstrip(',')}"
    running = re.findall(r"\[ RUN      \] (\S+)", r.stdout)
    return f"{target}: {running[-1] if running else '?'} (ended with {r.returncode})"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("source", type=pathlib.Path)
    a.add_argument("work", type=pathlib.Path)
    a.add_argument("--only", default="")
    a.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N checks")
    a.add_argument("--jobs", default="2")
    a.add_argument("--fit", action="store_true", help="only look whether each check is found in its file once")
    a = a.parse_args()
    source, work = a.source.resolve(), a.work.resolve()
    copy, build = work / "source", work / "build"
    if a.fit:
        edited(source)
        print(f"{len(CHECKS) + len(HARMLESS)} texts found once each")
        return 0
    copy_tree(source, copy)
    flags = f"-O1 -include {source / 'tests/adversary/mutants/mutant.h'}"
    configure = ["cmake", "-S", str(copy), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_CXX_FLAGS={flags}"]
    if shutil.which("ccache"):
        configure += ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
    for command in (configure, ["ninja", "-C", str(build), "-j", a.jobs, *TARGETS]):
        r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        if r.returncode != 0:
            sys.exit(r.stdout[-4000:] + "\nthe copy does not build")

    for target in TARGETS:
        if failed := run_test(build, target, ""):
            sys.exit(f"the unchanged copy fails: {failed}")
    survivors, wrong, n = [], [], 0
    for name, file, _, _, first in CHECKS[a.skip:]:
        if a.only not in name:
            continue
        n += 1
        order = [first] + [t for t in TARGETS if t != first]
        caught = next((f for t in order if (f := run_test(build, t, name))), None)
        print(f"{'caught  ' if caught else 'SURVIVED'} | {name} | {file} | {caught or ''}", flush=True)
        if not caught:
            survivors.append(name)
    for name, _, _, _, first in HARMLESS:
        if run_test(build, first, name):
            wrong.append(name)
    print(f"FIGURE row 15: {n - len(survivors)} of {n} checks, taken out one at a time, make a test fail"
          + (f"; not noticed: {', '.join(survivors)}" if survivors else ""))
    if wrong:
        print("harmless changes were reported as caught: " + ", ".join(wrong))
    return 1 if survivors or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
