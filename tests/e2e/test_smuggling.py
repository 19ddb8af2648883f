"""SMTP smuggling: what the public scanners send, byte by byte, into Fairlead by DATA and by BDAT, and what leaves it then. However a line
may end in somebody's reading, there is one message or none, and never a second one behind it."""
import itertools, re, socket, unittest

import kits
from fairlead import DaemonTest, certificate, eventually
from play import Mx

ENDS = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n", "CRCRLF": b"\r\r\n", "LFCR": b"\n\r", "CR NUL LF": b"\r\0\n", "NUL CRLF": b"\0\r\n", "CRLF NUL": b"\r\n\0",
        "VT": b"\v", "FF": b"\f", "NEL": b"\x85", "LS": "\u2028".encode(), "CRLF space": b"\r\n "}
SECOND = b"MAIL FROM:<evil@acme.example>\r\nRCPT TO:<victim@two.test>\r\nDATA\r\nSubject: second\r\n\r\nsmuggled"
CASES = {"%s . %s" % (a, b): ENDS[a] + b"." + ENDS[b] for a, b in itertools.product(ENDS, repeat=2)}
CASES = {name: sequence for name, sequence in CASES.items() if b"\r\n.\r\n" not in sequence}     # the one true end
CASES.update({"two dots": b"\r\n..\r\n", "no dot": b"\r\n\r\n", "dot and space": b"\r\n. \r\n", "space and dot": b"\r\n .\r\n", "dot and tab": b"\r\n.\t\r\n"})


def content(number, sequence):
    return b"Subject: first\r\nFrom: <news@acme.example>\r\nX-Case: %d\r\n\r\nbefore" % number + sequence + SECOND


class Smuggling(DaemonTest):
    def relay(self, mode):
        self.mx = self.server(Mx("127.0.0.31", extensions=("PIPELINING", "8BITMIME")))
        d = self.d = self.daemon()
        d.config["domains"] = {"*": {"smart_host": "[127.0.0.31]:%d" % self.mx.port}}
        d.config["sources"][0].update(bare_newlines=mode, max_errors=1000)
        d.config["defaults"]["max_connections"] = 4
        d.start()

    def talk(self, payload):
        """The codes of all replies to this, which ends with QUIT, from the banner on."""
        with socket.create_connection(("127.0.0.1", self.d.relay), 60, source_address=("127.0.0.2", 0)) as s:
            s.sendall(payload)
            got = b""
            while True:
                more = s.recv(65536)
                if not more:
                    return [int(code) for code in re.findall(rb"^(\d{3}) ", got, re.M)]
                got += more

    def by_data(self, number, sequence):
        return self.talk(b"EHLO x.test\r\nMAIL FROM:<news@acme.example> BODY=8BITMIME\r\nRCPT TO:<b@two.test>\r\nDATA\r\n" + content(number, sequence) + b"\r\n.\r\nQUIT\r\n")

    def by_bdat(self, number, sequence):
        chunk = content(number, sequence) + b"\r\n"
        return self.talk(b"EHLO x.test\r\nMAIL FROM:<news@acme.example> BODY=8BITMIME\r\nRCPT TO:<b@two.test>\r\nBDAT %d LAST\r\n" % len(chunk) + chunk + b"QUIT\r\n")

    def check_sent(self, taken):
        """What was taken left as one message each, to nobody else, with no line end but CR LF and no line of a lone dot."""
        numbers = sorted(taken)
        self.assertTrue(eventually(lambda: len(self.mx.seen) >= len(numbers), 120), (len(self.mx.seen), len(numbers)))
        self.assertEqual(sorted(int(re.search(rb"X-Case: (\d+)", m["content"])[1]) for m in self.mx.seen), numbers)
        for m in self.mx.seen:
            self.assertEqual((m["mail"].split()[1], m["rcpts"]), ("FROM:<news@acme.example>", ["RCPT TO:<b@two.test>"]))
            self.assertNotRegex(m["content"], rb"\r(?!\n)|(?<!\r)\n")
            self.assertNotRegex(m["content"], rb"\r\n\.\r\n")
        self.assertEqual({e["to"] for e in self.d.accounting()}, {"b@two.test"})

    def test_bare_line_ends_and_nuls_are_refused(self):
        self.relay("refuse")
        taken = set()
        for way, submit, before in (("DATA", self.by_data, [220, 250, 250, 250, 354]), ("BDAT", self.by_bdat, [220, 250, 250, 250])):
            for number, (name, sequence) in enumerate(CASES.items(), 0 if way == "DATA" else len(CASES)):
                with self.subTest(way=way, case=name):
                    codes = submit(number, sequence)
                    bad = re.search(rb"\0|\r(?!\n)|(?<!\r)\n", b"x" + sequence + b"M")
                    self.assertEqual(codes[:len(before)], before)
                    self.assertEqual(codes[len(before) + 1:], [221], "more than one reply to the content")
                    self.assertEqual(codes[len(before)] == 250, not bad, codes)
                    if codes[len(before)] == 250:
                        taken.add(number)
        self.check_sent(taken)

    def test_or_read_in_one_way_only(self):
        self.relay("normalise")
        taken = set()
        for way, submit, before in (("DATA", self.by_data, [220, 250, 250, 250, 354]), ("BDAT", self.by_bdat, [220, 250, 250, 250])):
            for number, (name, sequence) in enumerate(CASES.items(), 0 if way == "DATA" else len(CASES)):
                with self.subTest(way=way, case=name):
                    codes = submit(number, sequence)
                    self.assertEqual((codes[:len(before)], codes[len(before) + 1:]), (before, [221]))
                    if codes[len(before)] == 250:
                        taken.add(number)
        self.assertGreater(len(taken), len(CASES))
        self.check_sent(taken)

    def test_a_lone_dot_in_a_chunk_ends_nothing_further_on(self):
        """It is content there, and must be a line of content at the next hop too, whoever wrote that."""
        for kit in (kits.Exim, kits.OpenSmtpd, kits.Postfix):
            with self.subTest(next_hop=kit.__name__):
                d = self.d = self.daemon()
                mx = self.server(kit("127.0.0.31", certificate(d.dir, "mx.test", kind=("rsa:2048",))))
                d.config["domains"] = {"*": {"smart_host": "[127.0.0.31]:%d" % mx.port}}
                d.start()
                self.assertEqual(self.by_bdat(1, b"\r\n.\r\n"), [220, 250, 250, 250, 250, 221])
                arrived = mx.wait(1, 120)
                self.assertEqual(len(arrived), 1)
                self.assertTrue(arrived[0].content.endswith(b"before\r\n.\r\n" + SECOND + b"\r\n"))
                self.assertEqual(d.stop(), 0)
                self.assertEqual(len(mx.arrived()), 1)
                mx.stop()


if __name__ == "__main__":
    unittest.main()
