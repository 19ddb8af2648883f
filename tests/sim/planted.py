#!/usr/bin/python3
"""The simulators prove themselves: each planted fault (conf/base/fault.h) is played until its simulator finds it, and the seeds that
were needed are played again without a fault. `planted.py BUILD` prints a table and fails where a fault is not found within 2,000
seeds, or a seed fails by itself; BUILD is a folder that was set up with -Dfaults=true. ./dev planted does so; ./dev test counts each
fault as a test.

  --seeds N      other than 2,000
  --only NAMES   some faults, separated by commas
  --markdown     the table as docs/reliability.md has it"""
import argparse, concurrent.futures, os, re, subprocess, sys, time, unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEEDS = 2000
PATIENCE_S = 900            # for all seeds of one fault: one that makes a world go on for ever ends here
SIMULATORS = {"STORE": "store_sim", "VMTA": "relay_sim"}


class Fault:
    def __init__(self, name, text, simulator):
        self.name, self.text, self.simulator = name, text, simulator


def faults():
    """All there are, from the header's lists."""
    with open(os.path.join(ROOT, "conf", "base", "fault.h")) as f:
        header = f.read()
    for room, names in re.findall(r"#define FAULTS_OF_(\w+)\(X\)((?:.*\\\n)+.*)", header):
        for name, text in re.findall(r'X\((\w+), "([^"]+)"\)', names):
            yield Fault(name, text, SIMULATORS[room])


class Play:
    """One simulator over some seeds, with a fault or without."""

    def __init__(self, build, simulator, first, last, fault=None):
        program = os.path.join(build, "tests", "sim", simulator)
        began = time.monotonic()
        try:
            p = subprocess.run([program] + (["--fault", fault] if fault else []) + [str(first), str(last)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, errors="replace", timeout=PATIENCE_S)
            out, err, self.failed = p.stdout, p.stderr, p.returncode != 0
        except subprocess.TimeoutExpired as e:
            out, err, self.failed = (e.stdout or b"").decode(errors="replace"), "does not end", True
        self.seconds = time.monotonic() - began
        self.said = what_was_said(err)
        seeds = re.findall(r"^plays seed (\d+)$", out, re.M) or re.findall(r"seed (\d+): broken", err)
        self.seed = int(seeds[-1]) if self.failed and seeds else None


def what_was_said(err):
    """The oracle's sentence, or what the program died of."""
    broken = re.findall(r"seed \d+: (?:broken: )?(.+)", err)
    lines = [line for line in err.splitlines() if line.strip() and not line.startswith(("[", "/", " "))]
    return broken[-1] if broken else lines[0] if lines else ""


def prove(build, chosen, seeds, tell):
    """Plays all of it. Returns [(fault, play)] in their order, and what is wrong, as lines."""
    wrong, needed, plays = [], {}, {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(Play, build, f.simulator, 1, seeds, f.name): f for f in chosen}
        for job in concurrent.futures.as_completed(jobs):
            f, p = jobs[job], job.result()
            plays[f.name] = p
            tell(f, p)
            if not p.failed:
                wrong.append("%s: %s did not find it within %d seeds" % (f.name, f.simulator, seeds))
            else:
                needed[f.simulator] = max(needed.get(f.simulator, 1), p.seed or 1)
        for simulator, last in sorted(needed.items()):
            p = Play(build, simulator, 1, last)
            if p.failed:
                wrong.append("%s fails at seed %s without a fault: %s" % (simulator, p.seed, p.said))
    return [(f, plays[f.name]) for f in chosen], wrong


LINE = "%-24s %-9s %6s %7s s  %s"


def tell(f, p):
    print(LINE % (f.name, f.simulator, p.seed if p.failed else "-", "%.1f" % p.seconds, p.said[:150]), flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("build")
    a.add_argument("--seeds", type=int, default=SEEDS)
    a.add_argument("--only", default="")
    a.add_argument("--markdown", action="store_true")
    a = a.parse_args()
    chosen = [f for f in faults() if not a.only or f.name in a.only.split(",")]
    print(LINE % ("fault", "found by", "seed", "took", "what it said"))
    found, wrong = prove(a.build, chosen, a.seeds, tell)
    if a.markdown:
        for f, p in found:
            print("| `%s` | %s | `%s` | %s | %s |" % (f.name, f.text, f.simulator, p.seed, p.said))
    print("\n".join(wrong) or "%d faults, each found; the same seeds pass without them" % len(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
