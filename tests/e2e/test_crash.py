"""What was answered with 250 survives kill -9."""
import json, os, re, signal, smtplib, socket, ssl, subprocess, sys

from fairlead import BUILD, DaemonTest, PASSWORD, ROOT, eventually, free_port
from servers import Sink


def submit(d, n):
    """n messages, to u0@two.test and so on; returns once all have their 250."""
    with smtplib.SMTP("127.0.0.1", d.submission, timeout=30) as c:
        c.starttls(context=ssl._create_unverified_context())
        c.login("foo", PASSWORD)
        for i in range(n):
            c.sendmail("news@acme.example", ["u%d@two.test" % i], "Subject: %d\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n" % i)


def rows(d, *command):
    """What a listing command prints."""
    return json.loads(d.cli(*command, "--json").stdout)


class Crash(DaemonTest):
    def test_killed_before_delivery_delivered_after_the_restart(self):
        port = free_port()          # nobody listens there yet
        d = self.daemon(port).start()
        submit(d, 20)
        d.kill9()
        sink = self.server(Sink(port=port))
        d.start()
        seen = sink.wait(20, 30)
        self.assertEqual(sorted(t for m in seen for t in m["to"]), sorted("u%d@two.test" % i for i in range(20)))
        self.assertEqual({(m["client_ip"], m["ehlo"]) for m in seen}, {("127.0.0.11", "a1.acme.example")})

    def test_what_was_delivered_is_not_sent_again(self):
        sink = self.server(Sink())
        d = self.daemon(sink.port).start()
        submit(d, 5)
        self.assertEqual(len(sink.wait(5)), 5)
        self.assertEqual(d.stop(), 0)
        d.start()
        submit(d, 1)
        self.assertEqual(len(sink.wait(6)), 6)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(len(sink.messages()), 6)

    def fail_to_start(self, d):
        with socket.create_server(("127.0.0.1", d.http)):
            self.assertRaises(RuntimeError, d.start)

    def test_what_is_in_hand_at_three_crashes_is_put_aside_until_it_is_released(self):
        slow = self.server(Sink(script="- {at: dot, do: {delay: 60s}}\n"))
        d = self.daemon(slow.port).start()
        submit(d, 1)
        for _ in range(3):
            self.assertTrue(eventually(lambda: rows(d, "queue", "list")[0]["in_flight"] == 1))
            d.process.send_signal(signal.SIGABRT)
            d.process.wait()
            self.fail_to_start(d)       # that is no end of a life in which nothing crashed
            d.start()
        row = rows(d, "queue", "list")[0]
        self.assertEqual((row["state"], row["in_flight"]), ("held", 0))
        message = rows(d, "queue", "messages", row["queue"])[0]
        self.assertEqual(message["state"], "held")
        submit(d, 1)                    # to the same recipient's domain: that one is not held
        self.assertTrue(eventually(lambda: rows(d, "queue", "list")[0]["in_flight"] == 1))
        self.assertEqual(d.cli("queue", "release", "--message", message["message"]).returncode, 0)
        self.assertTrue(eventually(lambda: rows(d, "queue", "list")[0]["in_flight"] == 2))


class Ledger(DaemonTest):
    """tests/bench/crash in its short form: two customers over four VMTAs, killed at random under load."""

    def test_twenty_kills_under_load_lose_nothing_and_cross_nothing(self):
        p = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tests", "bench", "crash"), "--build", BUILD, "--messages", "2000", "--kills", "20",
                            "--seconds", "16", "--seed", "1"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        said = dict(re.findall(r"^(\w[\w ]*?) +(\d+)$", p.stdout, re.M))
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr[-3000:])
        self.assertEqual((said["lost"], said["crossed"]), ("0", "0"))
        self.assertGreater(int(said["accepted"]), 500)
