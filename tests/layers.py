#!/usr/bin/python3
"""The rooms of the house, checked from the #include lines: who may know whom, which file may know which library, no cycles between
files, and SQL only as literals. `python3 tests/layers.py` prints what is wrong; ./dev test runs it as tests."""
import os, re, unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# A room sees itself and what its line names. The longest prefix of a file's path decides its room.
ROOMS = {
    "conf/base": [],
    "conf": ["conf/base"],
    "store": ["conf/base"],
    "vmta/mail": ["conf/base"],
    "vmta": ["vmta/mail", "store", "conf", "conf/base"],
    "daemon/cmd": ["daemon", "vmta", "vmta/mail", "store", "conf", "conf/base"],
    "daemon": ["daemon/cmd", "vmta", "vmta/mail", "store", "conf", "conf/base"],
}
KNOWS_COMMANDS = ("daemon/main.c",)      # nobody else in daemon/ looks into cmd/

# A part of another file, kept in a file of its own for its size: the two call each other, and count as one when cycles are sought.
PARTS = {"vmta/turn": "vmta/scheduler", "vmta/relay_view": "vmta/relay", "vmta/task": "vmta/relay"}

# header -> the files that may include it
LIBRARIES = [
    (r"uv\.h", r".*_uv\.[ch]"),
    (r"sqlite3\.h", r"store/sqlite_\w+\.[ch]"),
    (r"yaml\.h", r"conf/yaml\.c"),
    (r"openssl/.*", r"(.*/)?(tls(_\w+)?|dkim_sign|auth_secret|digest)\.c|conf/certificate\.c"),
    (r"pcre2\.h", r"conf/base/pattern\.c"),
    (r"idn2\.h", r"conf/base/domain\.c"),
    (r"unbound\.h", r"vmta/resolver_(backend_)?uv\.c"),
    (r"gsasl\.h", r"(.*/)?(auth|sasl|smtp_auth)(_\w+)?\.c"),
    (r"microhttpd\.h", r"daemon/admin_http(_uv)?\.c"),
]
SQL_CALL = re.compile(r"\bsqlite3_(exec|prepare(?:16)?(?:_v[23])?)\s*\(")


def sources(*tops):
    for top in tops:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for n in sorted(names):
                if n.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, n), ROOT)


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def without_comments(text):
    """The same lines, comments blanked; strings stay."""
    keep = lambda m: m.group() if m.group()[0] in "\"'" else re.sub(r"[^\n]", " ", m.group())       # noqa: E731
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', keep, text, flags=re.S)


def room_of(path):
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len)


def includes(path):
    """[(line number, name, whether in quotes)]"""
    found = []
    for n, line in enumerate(without_comments(text_of(path)).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if m:
            found.append((n, m.group(2), m.group(1) == '"'))
    return found


def cycles_of(graph):
    """Each cycle that a walk in depth meets, as text. graph: node -> the nodes that it points to."""
    state, trail, found = {}, [], []

    def walk(u):
        state[u] = "open"
        trail.append(u)
        for v in sorted(graph.get(u, ())):
            if state.get(v) == "open":
                found.append(" -> ".join(trail[trail.index(v):] + [v]))
            elif v not in state:
                walk(v)
        trail.pop()
        state[u] = "done"
    for u in sorted(graph):
        if u not in state:
            walk(u)
    return found


class House:
    def __init__(self):
        self.files = list(sources("conf", "store", "vmta", "daemon"))
        self.headers = {}
        for f in self.files:
            if f.endswith(".h"):
                self.headers.setdefault(os.path.basename(f), []).append(f)

    def target(self, name):
        """The project's file that a quoted name means, or None."""
        found = self.headers.get(os.path.basename(name), [])
        return next((f for f in found if f.endswith("/" + name)), None)

    def foreign_arrows(self):
        for f in self.files:
            room = room_of(f)
            for n, name, quoted in includes(f):
                to = self.target(name) if quoted else None
                if not to:
                    if quoted:
                        yield '%s:%d: "%s" is no header of this project' % (f, n, name)
                elif room_of(to) not in [room] + ROOMS[room]:
                    yield "%s:%d: %s looks up into %s (%s)" % (f, n, room, room_of(to), name)
                elif room == "daemon" and room_of(to) == "daemon/cmd" and f not in KNOWS_COMMANDS:
                    yield "%s:%d: only %s may know the commands (%s)" % (f, n, " ".join(KNOWS_COMMANDS), name)

    def ambiguous_names(self):
        for name, found in self.headers.items():
            if len(found) > 1:
                yield "%s: one name, several headers: bare includes cannot tell them apart" % " ".join(found)

    def foreign_libraries(self):
        for f in self.files:
            for n, name, quoted in includes(f):
                for header, allowed in LIBRARIES:
                    ours = quoted and self.target(name)
                    if not ours and re.fullmatch(header, name) and not re.fullmatch(allowed, f):
                        yield "%s:%d: <%s> belongs into %s" % (f, n, name, allowed)

    def cycles(self):
        """Headers that include each other, and .c files that call each other: a .c and its .h are one there, and a header without
        a .c (the state that the parts of one noun share) is none."""
        headers = {f: {t for t in self.included(f) if t != f} for f in self.files if f.endswith(".h")}
        parts = {}
        for f in self.files:
            if self.has_code(f):
                to = {self.part_of(t) for t in self.included(f) if self.has_code(t)}
                parts.setdefault(self.part_of(f), set()).update(to - {self.part_of(f)})
        return cycles_of(headers) + cycles_of(parts)

    def included(self, f):
        return {t for _, name, quoted in includes(f) if quoted for t in [self.target(name)] if t}

    @staticmethod
    def part_of(f):
        return PARTS.get(f[:-2], f[:-2])

    def has_code(self, f):
        return f[:-2] + ".c" in self.files

    def built_sql(self):
        """Calls of sqlite3_exec and sqlite3_prepare* whose text is neither a literal nor a constant array of them."""
        for f in self.files:
            if os.path.basename(f).startswith("sqlite_"):
                text = without_comments(text_of(f))
                for m in SQL_CALL.finditer(text):
                    sql = second_argument(text, m.end())
                    if not constant_text(sql, text):
                        yield "%s:%d: sqlite3_%s of %r: SQL stands in literals, values are bound" % (f, text.count("\n", 0, m.start()) + 1, m.group(1), sql)


def second_argument(text, at):
    """The second argument of the call whose parenthesis opened before `at`."""
    depth, args, begin, i = 0, [], at, at
    while i < len(text):
        c = text[i]
        if c == '"':
            i = re.compile(r'"(?:\\.|[^"\\])*"').match(text, i).end()
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}" and depth:
            depth -= 1
        elif c in ",)" and not depth:
            args.append(text[begin:i].strip())
            begin = i + 1
            if c == ")":
                break
        i += 1
    return args[1] if len(args) > 1 else ""


def constant_text(sql, text):
    """A literal, or a name (with indices and members) that this file declares as a constant at file level, or a parameter or
    member named `sql` whose value is such a constant where it is set (checked at those calls by the same rule of literals)."""
    if re.fullmatch(r'(?:"(?:\\.|[^"\\])*"\s*|\b[A-Z][A-Z0-9_]*\b\s*)+', sql):
        return True
    name = re.match(r"\w+", sql)
    return bool(name) and bool(re.search(r"^(?:static\s+)?(?:const\s+)?(?:char|struct \w+)\b[^;=()]*\b%s\b[^;=()]*=" % name.group(), text, re.M)
                               and re.search(r"\bconst\b[^;=()]*\b%s\b" % name.group(), text))


class Layers(unittest.TestCase):
    house = House()

    def none(self, findings):
        findings = list(findings)
        self.assertFalse(findings, "\n" + "\n".join(findings))

    def test_arrows_between_rooms_point_down(self):
        self.none(self.house.foreign_arrows())

    def test_headers_have_names_of_their_own(self):
        self.none(self.house.ambiguous_names())

    def test_each_library_has_one_door(self):
        self.none(self.house.foreign_libraries())

    def test_no_cycles_between_files(self):
        self.none(self.house.cycles())

    def test_sql_stands_in_literals(self):
        self.none(self.house.built_sql())


if __name__ == "__main__":
    unittest.main()
