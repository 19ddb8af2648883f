"""Towards remote servers that nobody here wrote: Exim, OpenSMTPD and Postfix, by what they say that they saw and by what lies in their mailbox."""
import re, smtplib, threading, unittest

import kits
from fairlead import DaemonTest, certificate, eventually
from servers import Sink

SENDER, SENDER_B = "news@acme.example", "x@globex.example"
HEADER = "From: <%s>\r\nTo: <b@two.test>\r\nDate: Wed, 25 Nov 2026 02:00:00 +0000\r\nMessage-ID: <%s@acme.example>\r\nSubject: x\r\n\r\n"
MANY, THREADS = 200, 4
PATIENCE_S = 120      # on a machine where other work runs
BODIES = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "dots": b".\r\n..\r\n...\r\n.x\r\n ..\r\n.\r\n",
    "ends with dots": b"x\r\n.\r\n.\r\n",
    "empty lines at the end": b"x\r\n\r\n\r\n\r\n",
    "a From line": b"\r\nFrom here on\r\nFrom: <not@a.header>\r\n",
    "a line of 998": b"y" * 998 + b"\r\n",
    "dots at all places": b"".join(b"z" * n + b"\r\n.\r\n" for n in range(0, 500, 7)),
    "100 KiB": b"".join(b"%06d %s\r\n" % (n, b"v" * 60) for n in range(1500)),
}
LONG = b"w" * 5000 + b"\r\n.after it\r\n"
EIGHT = "Grüße, žluťoučký kůň, ☃\r\n".encode()


def message(number, body, sender=SENDER):
    return (HEADER % (sender, number)).encode() + body


class Remote:
    """One server as MX for all domains; each class below says which."""
    KIT, HOST = None, "127.0.0.31"

    def setUp(self):
        d = self.d = self.daemon()
        name = self.KIT.__name__.lower()
        self.pair = certificate(d.dir, "mx.%s.test" % name, kind=("rsa:2048",))
        self.kit = self.start_kit()
        host = "[mx.%s.test]:%d" % (name, self.kit.port)
        d.config["dns"] = {"hosts": {"mx.%s.test" % name: [self.HOST]}}
        d.config["defaults"]["tls_ca"] = certificate(d.dir, "stranger.test")[0]
        d.config["domains"] = {
            "*": {"smart_host": host, "tls": "none"},
            "opportunistic.test": {"smart_host": host, "tls": "opportunistic", "retry": "1h"},
            "require.test": {"smart_host": host, "tls": "require", "retry": "1h"},
            "verify.test": {"smart_host": host, "tls": "verify", "tls_ca": self.pair[0], "retry": "1h"},
            "distrust.test": {"smart_host": host, "tls": "verify", "retry": "1h"},
            "one.test": {"smart_host": host, "tls": "none", "max_connections": 1, "max_messages_per_connection": 7},
        }
        d.config["sources"].append({"network": "127.0.0.3/32", "always_allow_relaying": True, "tenant": "globex"})

    def start_kit(self, **more):
        return self.server(self.KIT(self.HOST, self.pair, **more))

    def submit(self, content, *to, mail=(), sender=SENDER):
        source = "127.0.0.3" if sender == SENDER_B else "127.0.0.2"
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=(source, 0)) as c:
            c.ehlo()
            if "SMTPUTF8" in mail:
                c.command_encoding = "utf-8"
            self.assertEqual(c.mail(sender, list(mail))[0], 250)
            for t in to:
                self.assertEqual(c.rcpt(t)[0], 250)
            self.assertEqual(c.data(content)[0], 250)

    def event(self, name, to):
        def found():
            return [e for e in self.d.accounting() if e["event"] == name and (e.get("to") or e.get("queue", "")).endswith(to)]
        got = eventually(found, PATIENCE_S)
        self.assertTrue(got, "%s of %s\n%s\n%s" % (name, to, self.d.said()[-2000:], self.kit.said()[-2000:]))
        return got[0]

    def mail(self, n):
        """n messages in its mailbox, notices to the sender apart."""
        self.kit.wait(n, PATIENCE_S)
        mine = eventually(lambda: len(self.mine()) >= n and self.mine(), PATIENCE_S, 0.5)
        self.assertTrue(mine, "%d of %d\n%s" % (len(self.mine()), n, self.kit.said()[-3000:]))
        return mine

    def mine(self):
        return [a for a in self.kit.arrived() if b"Auto-Submitted" not in a.content]

    def test_mail_comes_from_each_ones_address_under_its_name(self):
        self.d.start()
        self.submit(message(1, b"hello\r\n"), "b@two.test")
        self.submit(b"X-Fairlead-VMTA: a2\r\n" + message(2, b"hello\r\n"), "b@two.test")
        self.submit(message(3, b"hello\r\n", SENDER_B), "b@two.test", sender=SENDER_B)
        found = set()
        for a in self.mail(3):
            found.add((re.search(rb"Message-ID: <(\d)", a.content)[1], *re.search(r"from (\S+) .*?\[([\d.]+)\]", a.received).groups()))
        self.assertEqual(found, {(b"1", "a1.acme.example", "127.0.0.11"), (b"2", "a2.acme.example", "127.0.0.12"), (b"3", "g1.globex.example", "127.0.0.13")})

    def test_bodies_come_as_they_were_sent(self):
        self.d.start()
        bodies = {**BODIES, **({"a long line": LONG} if self.kit.chunking else {})}
        sent = {str(n): message(n, body) for n, body in enumerate(bodies.values())}
        for content in sent.values():
            self.submit(content, "b@two.test")
        arrived = self.mail(len(sent))
        self.assertEqual(len(arrived), len(sent))
        by_number = {re.search(rb"Message-ID: <(\d+)", a.content)[1].decode(): a.content for a in arrived}
        for what, (n, content) in zip(bodies, sent.items()):
            with self.subTest(body=what):
                self.assertEqual(by_number[n].split(b"From: <", 1)[1], content.split(b"From: <", 1)[1])

    def test_what_it_offers_is_used(self):
        self.d.start()
        self.submit(message(1, LONG), "b@two.test", "c@two.test", mail=["BODY=8BITMIME"])
        self.submit(message(2, b"x\r\n"), "b@two.test", "c@two.test")
        self.mail(4)
        used = eventually(self.extensions_used, 10)
        self.assertEqual(used, {w for w in ("PIPELINING", "CHUNKING") if getattr(self.kit, w.lower())})

    def test_8_bit_text_comes_whole(self):
        self.d.start()
        self.submit(message(1, EIGHT), "b@two.test", mail=["BODY=8BITMIME"])
        a, = self.mail(1)
        self.assertTrue(a.content.endswith(EIGHT))

    def test_smtputf8_arrives_or_bounces(self):
        self.d.start()
        self.submit(message(1, EIGHT), "žluťoučký@two.test", mail=["BODY=8BITMIME", "SMTPUTF8"])
        if self.kit.utf8:
            a, = self.mail(1)
            self.assertTrue(a.content.endswith(EIGHT))
        else:
            self.assertEqual(self.event("bounced", "@two.test")["enhanced"], "5.6.7")
            self.assertEqual(self.mine(), [])

    def test_binary_content_that_it_cannot_take_bounces(self):
        self.d.start()
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            c.mail(SENDER, ["BODY=BINARYMIME"])
            c.rcpt("b@two.test")
            content = message(1, b"\0\r\n\xff\n\r.\r\n")
            c.send(b"BDAT %d LAST\r\n" % len(content) + content)
            self.assertEqual(c.getreply()[0], 250)
        self.assertEqual(self.event("bounced", "b@two.test")["enhanced"], "5.6.1")
        self.assertEqual(self.mine(), [])

    def test_what_is_too_large_bounces_and_the_sender_is_told(self):
        self.d.start()
        self.submit(message(1, (b"x" * 70 + b"\r\n") * (kits.SIZE_MAX // 72 + 1)), "b@two.test")
        e = self.event("bounced", "b@two.test")
        self.assertEqual(e["enhanced"], "5.3.4")
        notice, = self.kit.wait(1)
        self.assertIn(b"Status: 5.3.4", notice.content)

    def test_each_recipient_has_its_own_fate(self):
        self.d.start()
        self.submit(message(1, b"x\r\n"), "b@two.test", kits.UNKNOWN, kits.GREY, "c@two.test")
        self.assertEqual(len(self.mail(2)), 2)
        self.assertEqual(self.event("bounced", kits.UNKNOWN)["code"], 550)
        self.assertEqual(self.event("deferred", kits.GREY)["code"], 451)
        self.kit.know()
        self.assertGreater(self.event("delivered", kits.GREY)["attempt"], 1)
        self.assertEqual(len(self.mail(3)), 3)
        self.assertEqual({e["to"] for e in self.d.accounting() if e["event"] == "delivered"} - {SENDER}, {"b@two.test", "c@two.test", kits.GREY})

    def test_one_connection_carries_several_messages(self):
        self.d.start()
        self.assertEqual(self.d.cli("tenant", "hold", "acme").returncode, 0)
        for n in range(20):
            self.submit(message(n, b"x\r\n"), "b@one.test")
        before = self.kit.connections("127.0.0.11")
        self.assertEqual(self.d.cli("tenant", "release", "acme").returncode, 0)
        self.mail(20)
        used = eventually(lambda: self.kit.connections("127.0.0.11") - before)
        self.assertTrue(3 <= used < 20, used)

    def test_many_messages_at_once_and_none_is_lost(self):
        self.d.start()

        def some(first):
            with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=("127.0.0.2", 0)) as c:
                for n in range(first, MANY, THREADS):
                    c.sendmail(SENDER, ["b@two%d.test" % (n % 7)], message(n, b"x\r\n" * n))
        threads = [threading.Thread(target=some, args=(n,)) for n in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seen = [int(re.search(rb"Message-ID: <(\d+)", a.content)[1]) for a in self.mail(MANY)]
        self.assertEqual(sorted(seen), list(range(MANY)))


class TlsOffered:
    """Its certificate is right, for those who know it."""

    def test_tls_is_as_the_policy_says(self):
        self.d.start()
        for domain, verified in (("opportunistic.test", False), ("require.test", False), ("verify.test", True)):
            with self.subTest(domain=domain):
                self.submit(message(1, b"x\r\n"), "b@" + domain)
                e = self.event("delivered", "b@" + domain)
                self.assertEqual((e["tls"]["verified"], e["tls"]["version"]), (verified, "TLSv1.3"))
        self.submit(message(2, b"x\r\n"), "b@distrust.test")
        self.assertEqual(self.event("path_deferred", "/distrust.test")["stage"], "tls")
        arrived = self.mail(3)
        self.assertEqual(len(arrived), 3)
        for a in arrived:
            self.assertRegex(a.received, r"(?i)tlsv?1\.3")


class InExim(Remote, TlsOffered, DaemonTest):
    KIT = kits.Exim

    def extensions_used(self):
        taken = re.findall(r" <= (.*)", self.kit.said())
        return len(taken) >= 2 and {w for w, flag in (("PIPELINING", r" L\.? "), ("CHUNKING", r" K ")) if any(re.search(flag, line) for line in taken)}

    def test_it_is_logged_in_to_by_each_mechanism(self):
        self.kit.stop()
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism=mechanism):
                kit = self.start_kit(mechanisms=[mechanism])
                smart = {"host": "[%s]:%d" % (kit.name, kit.auth_port), "user": kits.LOGIN, "password": kits.SECRET, "tls": "verify"}
                self.d.config["domains"] = {"two.test": {"smart_host": smart, "tls_ca": self.pair[0]}}
                self.d.start()
                self.submit(message(1, b"x\r\n"), "b@two.test")
                a = eventually(kit.arrived, PATIENCE_S)
                self.assertTrue(a, kit.said()[-2000:])
                self.assertIn("with esmtpsa tls TLS1.3", a[0].received)
                self.assertEqual(self.d.stop(), 0)
                kit.stop()

    def test_a_wrong_password_waits_and_a_right_one_after_a_reload_delivers(self):
        smart = {"host": "[%s]:%d" % (self.kit.name, self.kit.auth_port), "user": kits.LOGIN, "password": "wrong", "tls": "require"}
        self.d.config["domains"] = {"two.test": {"smart_host": smart}}
        self.d.start()
        self.submit(message(1, b"x\r\n"), "b@two.test")
        e = self.event("path_deferred", "/two.test")
        self.assertEqual((e["stage"], e["code"]), ("auth", 535))
        smart["password"] = kits.SECRET
        self.d.write_config()
        self.assertEqual(self.d.cli("reload").returncode, 0)
        self.assertEqual(len(self.mail(1)), 1)


class InPostfix(Remote, TlsOffered, DaemonTest):
    KIT = kits.Postfix

    def extensions_used(self):
        """It counts commands, and does not say what was pipelined."""
        said = re.findall(r"disconnect from unknown\[127\.0\.0\.11\] (.*)", self.kit.said())
        return any(said) and {"PIPELINING"} | ({"CHUNKING"} if any("bdat=" in line for line in said) else set())


class InOpenSmtpd(Remote, DaemonTest):
    KIT = kits.OpenSmtpd

    def extensions_used(self):
        return set()

    def test_a_handshake_that_fails_is_what_the_policy_makes_of_it(self):
        self.d.start()
        for domain in ("require.test", "verify.test"):
            self.submit(message(1, b"x\r\n"), "b@" + domain)
            self.assertEqual(self.event("path_deferred", "/" + domain)["stage"], "tls")
        self.assertEqual(self.mine(), [])
        self.submit(message(2, b"x\r\n"), "b@opportunistic.test")
        self.assertNotIn("tls", self.event("delivered", "b@opportunistic.test"))
        a, = self.mail(1)
        self.assertIn("with ESMTP id", a.received)


class Sender:
    """One server that relays all through Fairlead, with a log-in and under TLS whose certificate it checks."""
    KIT, HOST = None, "127.0.0.32"

    def setUp(self):
        self.folder = self.enterContext(kits.tempfile.TemporaryDirectory())
        self.sink = self.server(Sink("--eml", self.folder))
        self.d = self.daemon(self.sink.port)
        self.d.config["sources"][0]["auth_mechanisms"].append("CRAM-MD5")
        self.d.config["sources"][0]["max_connections_per_ip"] = 200
        self.d.start()

    def start_kit(self, **more):
        self.kit = self.server(self.KIT(self.HOST, certificate(self.d.dir, "own.test", kind=("rsa:2048",)), next_hop=(self.d.submission, self.d.dir + "/relay.test.pem"),
                                        login=("foo", "barbaz"), **more))
        return self.kit

    def send(self, *contents, mail=()):
        with smtplib.SMTP(self.HOST, self.kit.port, timeout=60) as c:
            for content in contents:
                c.sendmail(SENDER, ["b@two.test"], content, mail_options=list(mail))

    def arrived(self, n):
        seen = self.sink.wait(n, PATIENCE_S)
        self.assertEqual(len(seen), n, self.kit.said()[-3000:] + self.d.said()[-2000:])
        self.assertEqual({(m["client_ip"], m["ehlo"], m["from"]) for m in seen}, {("127.0.0.11", "a1.acme.example", SENDER)})
        contents = []
        for i in range(1, n + 1):
            with open("%s/%06d.eml" % (self.folder, i), "rb") as f:
                contents.append(f.read())
        return contents

    def test_bodies_come_through_both_as_they_were_sent(self):
        self.start_kit()
        sent = {n: message(n, body) for n, body in enumerate((*BODIES.values(), EIGHT))}
        self.send(*sent.values(), mail=["BODY=8BITMIME"])
        for content in self.arrived(len(sent)):
            n = int(re.search(rb"Message-ID: <(\d+)", content)[1])
            self.assertEqual(content.split(b"From: <", 1)[1], sent[n].split(b"From: <", 1)[1])
            self.assertRegex(content, rb"Received: from mx\.\w+\.test[^\0]*?with ESMTPSA")

    def test_many_messages_and_none_is_lost(self):
        self.start_kit()
        self.send(*(message(n, b"x\r\n") for n in range(MANY // 3)))
        self.assertEqual(sorted(int(re.search(rb"Message-ID: <(\d+)", c)[1]) for c in self.arrived(MANY // 3)), list(range(MANY // 3)))


class ByExim(Sender, DaemonTest):
    KIT = kits.Exim

    def test_it_logs_in_by_each_mechanism_and_sends_chunks(self):
        for n, mechanism in enumerate(("PLAIN", "LOGIN", "CRAM-MD5"), 1):
            with self.subTest(mechanism=mechanism):
                kit = self.start_kit(mechanisms=[mechanism])
                self.send(message(n, b".x\r\n"))
                self.assertTrue(self.arrived(n)[-1].endswith(b"\r\n\r\n.x\r\n"))
                self.assertTrue(eventually(lambda: re.search(r" => .* A=(plain|login|cram) L K ", kit.said())), [x for x in kit.said().splitlines() if "=>" in x])
                kit.stop()


class ByOpenSmtpd(Sender, DaemonTest):
    KIT = kits.OpenSmtpd


class ByPostfix(Sender, DaemonTest):
    KIT = kits.Postfix


if __name__ == "__main__":
    unittest.main()
