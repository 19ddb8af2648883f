#!/usr/bin/python3
"""Line coverage of the pure cores (the static libraries named *_core), by what was run in one build folder that counts (meson's
-Db_coverage=true): tests/coverage.py BUILD [LEAST]. Prints each core and its files, the least covered first, with the lines that nothing
reached under --lines; status 1 when a core has less than LEAST per cent."""
import glob, json, os, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def objects(build):
    """core -> its .gcda files; what was never run has none, so .gcno files say what there is."""
    found = {}
    for note in glob.glob(os.path.join(build, "**", "lib*_core.a.p", "*.gcno"), recursive=True):
        core = os.path.basename(os.path.dirname(note))[3:-4]
        found.setdefault(core, []).append(note)
    return found


def lines_of(note, build):
    """{source: {line: count}} of the sources below ROOT, headers with code included."""
    p = subprocess.run(["gcov", "--json-format", "--stdout", os.path.abspath(note)], cwd=build, capture_output=True, text=True, check=True)
    found = {}
    for document in p.stdout.splitlines():
        for f in json.loads(document)["files"] if document.strip() else []:
            path = os.path.relpath(os.path.realpath(os.path.join(build, f["file"])), ROOT)
            if not path.startswith(("..", "tests" + os.sep)) and path.endswith(".c"):
                counts = found.setdefault(path, {})
                for l in f["lines"]:
                    counts[l["line_number"]] = counts.get(l["line_number"], 0) + l["count"]
    return found


def percent(reached, all_):
    return 100.0 * reached / all_ if all_ else 100.0


def main(args):
    show_lines = "--lines" in args
    build, least = ([a for a in args if a != "--lines"] + ["0"])[:2]
    short = 0
    for core, notes in sorted(objects(build).items()):
        files = {}
        for note in notes:
            for path, counts in lines_of(note, build).items():
                files.setdefault(path, {}).update(counts)
        sums = {path: (sum(1 for n in counts.values() if n), len(counts)) for path, counts in files.items()}
        reached, there = (sum(s[i] for s in sums.values()) for i in (0, 1))
        print("%-42s %6.1f %%  of %5d lines" % (core, percent(reached, there), there))
        for path, (r, t) in sorted(sums.items(), key=lambda x: percent(*x[1])):
            print("  %-40s %6.1f %%  of %5d" % (path, percent(r, t), t))
            if show_lines and r < t:
                print("    " + " ".join(str(n) for n, count in sorted(files[path].items()) if not count))
        short += percent(reached, there) < float(least)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
