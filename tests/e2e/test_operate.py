"""What an operator does to a relay that runs."""
import glob, json, os, signal, smtplib, time

from fairlead import DaemonTest, eventually, free_port
from servers import Sink


def submit(d, sender="news@acme.example", to="b@two.test", address="127.0.0.2"):
    """From a trusted network; the message's id."""
    with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=(address, 0)) as c:
        c.ehlo()
        c.mail(sender)
        c.rcpt(to)
        code, text = c.data("Subject: x\r\nFrom: <%s>\r\n\r\nhello\r\n" % sender)
    assert code == 250, text
    return text.decode().split()[-1]


class Files(DaemonTest):
    def setUp(self):
        self.d = self.daemon(self.server(Sink()).port).start()
        self.file = os.path.join(self.d.dir, "accounting.jsonl")
        submit(self.d)
        eventually(lambda: len(self.d.accounting()) == 2)

    def hang_up(self):
        self.d.process.send_signal(signal.SIGHUP)

    def test_hanging_up_begins_a_new_accounting_file(self):
        self.hang_up()
        self.assertTrue(eventually(lambda: glob.glob(self.file + ".*") and os.path.exists(self.file)))
        submit(self.d)
        self.assertEqual(len(eventually(lambda: len(self.d.accounting()) == 2 and self.d.accounting())), 2)
        old, = glob.glob(self.file + ".*")
        with open(old) as f:
            self.assertEqual([json.loads(line)["event"] for line in f], ["accepted", "delivered"])

    def test_no_file_grows_above_its_size_and_no_line_is_cut(self):
        d = self.daemon(self.server(Sink()).port)
        small = os.path.join(d.dir, "small.jsonl")
        d.config["accounting"].append({"file": small, "rotate": {"size": "1KiB"}, "events": ["accepted"]})
        d.start()
        ids = {submit(d) for _ in range(12)}

        def rows():
            found = []
            for name in glob.glob(small + "*"):
                with open(name) as f:
                    found += map(json.loads, f)
            return found
        self.assertTrue(eventually(lambda: len(rows()) == 12))
        self.assertEqual({r["message"] for r in rows()}, ids)
        self.assertLessEqual(max(map(os.path.getsize, glob.glob(small + "*"))), 1024)

    def test_a_file_that_was_moved_away_is_let_go(self):
        os.rename(self.file, self.file + "-moved")
        self.hang_up()
        self.assertTrue(eventually(lambda: os.path.exists(self.file)))
        self.assertEqual(glob.glob(self.file + ".*"), [])


class Stop(DaemonTest):
    def test_a_reload_under_way_ends_with_the_daemon(self):
        d = self.daemon(self.server(Sink()).port)
        for n in range(1500):               # so much to load that it takes a while
            d.config["tenants"]["t%d" % n] = {"vmtas": ["a1"], "route": "a1"}
        d.start()
        for _ in range(2):
            d.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        self.assertEqual(d.stop(), 0, d.said()[-4000:])


class Rows(DaemonTest):
    def test_what_rides_behind_a_dot_is_not_counted_as_a_connection(self):
        sink = self.server(Sink(script="- {at: dot, do: {delay: 2s}}\n"))
        d = self.daemon(sink.port)
        d.config["vmtas"]["a1"]["total_max_connections"] = 1
        d.start()
        for _ in range(3):
            submit(d)
        self.assertTrue(sink.wait(1))
        row = eventually(lambda: next((r for r in json.loads(d.cli("queue", "list", "--json").stdout) if r["in_flight"]), None))
        self.assertEqual((row["connections"], row["in_flight"]), (1, 1))


class Moves(DaemonTest):
    """Mail of both tenants that waits for a server that is not there."""

    def setUp(self):
        self.d = self.daemon(free_port())
        self.d.config["defaults"]["retry"] = ["1h"]
        self.d.config["sources"].append({"network": "127.0.0.3/32", "always_allow_relaying": True, "tenant": "globex"})
        self.d.start()
        self.id = submit(self.d)
        submit(self.d, "x@globex.example", address="127.0.0.3")

    def test_a_message_is_moved_by_its_own_tenants_grant(self):
        self.assertEqual(self.d.cli("queue", "move", "--message", self.id, "--to", "a2").returncode, 0)

        def rows():
            return json.loads(self.d.cli("queue", "list", "--json").stdout)
        self.assertEqual(eventually(lambda: sorted(r["vmta"] for r in rows() if r["recipients"]) == ["a2", "g1"]), True)

    def test_a_message_is_not_moved_to_a_target_that_its_tenant_has_no_grant_for(self):
        p = self.d.cli("queue", "move", "--message", self.id, "--to", "g1")
        self.assertEqual(p.returncode, 1)
        self.assertIn("no grant", p.stderr)

    def test_a_tenant_without_the_grant_is_told_even_when_nothing_of_it_waits(self):
        self.assertEqual(self.d.cli("queue", "drop", "--tenant", "globex", "--yes").returncode, 0)
        self.assertEqual(self.d.cli("queue", "move", "--tenant", "globex", "--to", "a1").returncode, 1)
