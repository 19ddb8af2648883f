#!/usr/bin/python3
"""Runs every test there is against one build folder, and counts: meson's unit tests case by case, those that cross threads once more in
build-tsan where there is one, played worlds (SIM_SEEDS of them, by the release build where there is one), planted faults (one each, by
build-faults where there is one), then Python's (the layers and the end-to-end tests). Ends with "N passed, N failed". A second argument
selects the end-to-end tests whose name contains it."""
import json, os, re, subprocess, sys, unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
CASE_OK = re.compile(r"^\[ +OK \] ", re.M)            # cmocka's lines
CASE_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test)(\S+)", re.M)


def unit_tests(build, *chosen):
    """(passed, failed) over the tests that meson knows, or over those chosen: cmocka's cases one by one, other programs as one each."""
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    end = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "6", *chosen])
    passed = failed = 0
    if os.path.exists(log):
        with open(log) as f:
            for t in map(json.loads, f):
                said = (t.get("stdout") or "") + "\n" + (t.get("stderr") or "")
                good, bad = len(CASE_OK.findall(said)), len(set(CASE_FAILED.findall(said)))
                if t["result"] in ("OK", "EXPECTEDFAIL"):
                    passed += good or 1
                elif t["result"] != "SKIP":
                    passed, failed = passed + good, failed + (bad or 1)
    return passed, failed or (1 if end.returncode else 0)


def thread_tests(build="build-tsan"):
    return unit_tests(build, "--suite", "threads") if os.path.exists(build) else (0, 0)


def played_worlds(program="build/tests/sim/relay_sim"):
    """One test: every world of the whole relay's simulation."""
    if not os.path.exists(program):
        return 0, 0
    end = subprocess.run([program, "--seeds", os.environ.get("SIM_SEEDS", "10000"), "--jobs", str(os.cpu_count() or 1)])
    return (0, 1) if end.returncode else (1, 0)


def planted_faults(build="build-faults"):
    """One test a fault: its simulator finds it; and what is wrong otherwise counts as failed."""
    if not os.path.isdir(build):
        return 0, 0
    sys.path.insert(0, os.path.join(TESTS, "sim"))
    import planted
    found, wrong = planted.prove(build, list(planted.faults()), planted.SEEDS, planted.tell)
    print("\n".join(wrong), flush=True)
    return sum(p.failed for _, p in found), len(wrong)


class Result(unittest.TextTestResult):
    """Counts sub-tests that fail once each, and remembers what passed."""
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def flatten(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flatten(t)
        else:
            yield t


def python_tests(build, only):
    os.environ["FAIRLEAD_BUILD"] = os.path.abspath(build)
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    sys.path.insert(0, TESTS)
    suite.addTests(loader.loadTestsFromName("layers"))
    suite.addTests(loader.discover(os.path.join(TESTS, "e2e"), pattern="*.py", top_level_dir=os.path.join(TESTS, "e2e")))
    chosen = unittest.TestSuite(t for t in flatten(suite) if only in t.id())
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(chosen)
    return result.passed, len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)


def main(build, only=""):
    counts = [python_tests(build, only)] if only else [unit_tests(build), thread_tests(), played_worlds(), planted_faults(),
                                                                 python_tests(build, only)]
    passed, failed = (sum(c[i] for c in counts) for i in (0, 1))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
