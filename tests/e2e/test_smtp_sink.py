"""Towards Postfix's smtp-sink: each of its moods, and what becomes of the mail. All at once, each in a domain of its own."""
import glob, os, shutil, signal, smtplib, subprocess, tempfile, unittest

from fairlead import DaemonTest, START_S, eventually, free_port

HOST, PATIENCE_S = "127.0.0.31", 120
SENDER = "news@acme.example"
TEXT = b"Subject: x\r\nFrom: <news@acme.example>\r\nDate: Wed, 25 Nov 2026 02:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n\r\n.hello\r\n..\r\n"
EIGHT = TEXT + "grün\r\n".encode()

DELIVERED = ("delivered", "dot", 250)


def waits(stage, code=None):
    """The queue is set back."""
    return "path_deferred", stage, code


# Options of smtp-sink: the event, its stage, its code. Where a queue is set back nothing else may happen to the recipient.
REFUSALS = {
    "-f CONNECT": waits("banner", 500), "-r CONNECT": waits("banner", 450), "-Q CONNECT": waits("banner", 421), "-q CONNECT": waits("banner"),
    "-f EHLO": DELIVERED,                                                   # HELO will do
    "-f EHLO,HELO": waits("ehlo", 500), "-r EHLO": waits("ehlo", 450), "-Q EHLO": waits("ehlo", 421), "-q EHLO": waits("ehlo"),
    "-f MAIL": waits("mail", 500), "-r MAIL": waits("mail", 450), "-Q MAIL": waits("mail", 421), "-q MAIL": waits("mail"),
    "-f RCPT": ("bounced", "rcpt", 500), "-r RCPT": ("deferred", "rcpt", 450), "-Q RCPT": waits("rcpt", 421), "-q RCPT": waits("rcpt"),
    "-f DATA": ("bounced", "data", 500), "-r DATA": ("deferred", "data", 450), "-Q DATA": waits("data", 421), "-q DATA": waits("data"),
    "-f .": ("bounced", "dot", 500), "-r .": ("deferred", "dot", 450), "-Q .": waits("dot", 421), "-q .": ("deferred", "dot", None),
    "-f RSET": DELIVERED, "-r QUIT": DELIVERED, "-f QUIT": DELIVERED, "-q QUIT": DELIVERED, "-Q QUIT": DELIVERED,
    "-f NOOP,VRFY": DELIVERED,
    "-A 1": ("bounced", "dot", 550),                                        # after the dot was sent
    "-f . -B '554 5.7.1 spam'": ("bounced", "dot", 554), "-f RCPT -B '550 5.1.1 nobody'": ("bounced", "rcpt", 550),
    "-f MAIL -B '552 5.3.4 too large'": ("bounced", "mail", 552), "-f MAIL -B '550 5.1.8 no such sender'": ("bounced", "mail", 550),
    "-r RCPT -b '451 4.7.1 greylisted'": ("deferred", "rcpt", 451), "-r . -b '452 4.2.2 full'": ("deferred", "dot", 452),
    "-r CONNECT -b '454 4.3.0 later'": waits("banner", 454),
}
SHAPES = ["", "-8", "-a", "-C", "-e", "-E", "-F", "-N", "-p", "-P", "-h two.words.test", "-8 -a -C -E -F -N -p", "-H 1", "-w 1", "-p -W MAIL:1", "-W .:1", "-W CONNECT:1",
          "-T 1024", "-t 2", "-m 1", "-4", "-s MAIL,RCPT", "-S 'before it'", "-v"]


def words(options):
    """As a shell would split them, with no more quoting than is used above."""
    parts = options.split("'")
    return parts[0].split() + ([parts[1]] if len(parts) > 1 else [])


class SmtpSink:
    def __init__(self, *options):
        self.options, self.port, self.process = options, free_port(HOST), None
        self.dir = tempfile.mkdtemp(prefix="fairlead-smtp-sink-")
        shutil.chown(self.dir, "nobody")
        self.start()

    def start(self):
        """It cannot be asked whether it is up, since it may refuse; so it is waited for in the kernel's table."""
        with open(self.dir + ".log", "wb") as log:
            who = ["-u", "nobody"] if os.geteuid() == 0 else []
            self.process = subprocess.Popen(["smtp-sink", *who, "-d", self.dir + "/%M.", *self.options, "%s:%d" % (HOST, self.port), "100"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not eventually(self.listens, START_S):
            raise RuntimeError("smtp-sink %s: %s" % (self.options, open(self.dir + ".log").read()))

    def listens(self):
        with open("/proc/net/tcp") as f:
            return any(line.split()[1].endswith(":%04X" % self.port) and line.split()[3] == "0A" for line in f.readlines()[1:])

    def dumps(self):
        found = []
        for path in sorted(glob.glob(self.dir + "/*")):
            with open(path, "rb") as f:
                found.append(f.read())
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        os.unlink(self.dir + ".log")


class Moods(DaemonTest):
    def relay(self, moods):
        """A daemon, and one of them behind each domain: {domain: sink}."""
        self.d = self.daemon()
        self.d.config["defaults"]["retry"] = ["1h"]
        sinks = {"m%d.test" % n: self.server(SmtpSink(*words(m))) for n, m in enumerate(moods)}
        self.d.config["domains"] = {domain: {"smart_host": "[%s]:%d" % (HOST, s.port)} for domain, s in sinks.items()}
        self.d.config["domains"]["acme.example"] = {"smart_host": "[%s]:%d" % (HOST, self.server(SmtpSink()).port)}
        self.d.start()
        return sinks

    def submit(self, *to, content=TEXT, options=()):
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=("127.0.0.2", 0)) as c:
            for t in to:
                c.sendmail(SENDER, [t], content, mail_options=list(options))

    def events(self, domain):
        return [e for e in self.d.accounting() if e["event"] != "accepted" and (e.get("to") or e.get("queue") or "").endswith(domain)]

    def first(self, domain):
        got = eventually(lambda: self.events(domain), PATIENCE_S)
        self.assertTrue(got, self.d.said()[-2000:])
        return got[0]

    def test_each_refusal_has_its_outcome(self):
        sinks = self.relay(REFUSALS)
        self.submit(*("b@" + domain for domain in sinks))
        for domain, (mood, (event, stage, code)) in zip(sinks, REFUSALS.items()):
            with self.subTest(mood=mood):
                e = self.first(domain)
                self.assertEqual((e["event"], e.get("stage"), e.get("code")), (event, stage, code), e)
                self.assertEqual(len(self.events(domain)), 1)

    def test_a_550_right_behind_354_is_an_answer_to_nothing_or_to_the_content(self):
        """It depends on whether it comes before the content was sent."""
        domain, = self.relay({"-A 0": None})
        self.submit("b@" + domain)
        e = self.first(domain)
        self.assertIn((e["event"], e["stage"], e.get("code")), [("bounced", "dot", 550), ("deferred", "dot", None)])

    def test_whatever_it_offers_the_message_arrives_whole(self):
        sinks = self.relay(SHAPES)
        self.submit(*("b@" + domain for domain in sinks), *("c@" + domain for domain in sinks))
        for (domain, sink), mood in zip(sinks.items(), SHAPES):
            with self.subTest(mood=mood):
                self.assertTrue(eventually(lambda: len(self.events(domain)) == 2, PATIENCE_S))
                self.assertEqual([(e["event"], e["stage"], e["code"]) for e in self.events(domain)], [DELIVERED] * 2)
                dumps = eventually(lambda: len(sink.dumps()) == 2 and sink.dumps())
                self.assertTrue(dumps)
                for raw in dumps:
                    self.assertIn(b"X-Client-Addr: 127.0.0.11\n", raw)
                    self.assertIn(b"X-Helo-Args: a1.acme.example\n", raw)
                    self.assertEqual(raw[raw.rindex(b"Subject: x"):].rstrip(b"\n"), TEXT.replace(b"\r\n", b"\n").rstrip(b"\n"))

    def test_8_bit_text_goes_where_that_is_offered_and_bounces_where_not(self):
        sinks = self.relay(["", "-8", "-e"])
        self.submit(*("b@" + domain for domain in sinks), content=EIGHT, options=["BODY=8BITMIME"])
        self.assertEqual([self.first(domain)["event"] for domain in sinks], ["delivered", "bounced", "bounced"])
        self.assertEqual({self.first(domain)["enhanced"] for domain in list(sinks)[1:]}, {"5.6.3"})

    def test_a_server_that_ends_itself_at_the_dot_is_waited_for(self):
        sink, = self.relay(["-M 1"]).values()
        self.submit("b@m0.test")
        e = self.first("m0.test")
        self.assertEqual((e["event"], e["stage"]), ("deferred", "dot"))
        sink.process.wait(START_S)
        self.submit("c@m0.test")
        self.assertTrue(eventually(lambda: [e for e in self.events("m0.test") if e["event"] == "path_deferred" and e["stage"] == "connect"], PATIENCE_S))
        sink.options = ()
        sink.start()
        self.assertEqual(self.d.cli("queue", "retry", "--all").returncode, 0)
        self.assertTrue(eventually(lambda: {e["to"] for e in self.events("m0.test") if e["event"] == "delivered"} == {"b@m0.test", "c@m0.test"}, PATIENCE_S))


if __name__ == "__main__":
    unittest.main()
