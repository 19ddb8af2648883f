"""Reads every sample DSN of test_dsn with Python's email package: no defects, and the parts that it must have.
Run by meson with the path of test_dsn as its argument."""
import email
import email.policy
import re
import subprocess
import sys
import unittest

WRITER = sys.argv.pop()


def unstuff(wire):
    return re.sub(rb"(?m)^\.", b"", wire)


def sample(name):
    return unstuff(subprocess.run([WRITER, "--write", name], check=True, capture_output=True).stdout)


class Dsn(unittest.TestCase):
    def parse(self, name):
        raw = sample(name)
        m = email.message_from_bytes(raw, policy=email.policy.default)
        for part in m.walk():
            self.assertEqual(part.defects, [], (name, part.get_content_type()))
            for header in part.values():
                # a local part in UTF-8 (RFC 6532) is a defect to this package
                if hasattr(header, "defects") and name != "unicode-sender":
                    self.assertEqual(list(header.defects), [], (name, header))
        return raw, m, list(m.iter_parts())

    def test_every_sample_is_a_report_without_defects(self):
        names = subprocess.run([WRITER, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for name in names:
            raw, m, parts = self.parse(name)
            self.assertEqual(m.get_content_type(), "multipart/report")
            self.assertEqual(m.get_param("report-type"), "delivery-status")
            self.assertEqual(len(parts), 2 if name == "no-original" else 3)
            self.assertEqual(parts[0].get_content_type(), "text/plain")
            self.assertEqual(m["Auto-Submitted"], "auto-replied")
            self.assertTrue(all(m[h] for h in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version")))
            self.assertNotRegex(raw, rb"[^\r]\n|\r[^\n]")
            self.assertLessEqual(max(map(len, raw.split(b"\r\n"))), 998)

    def test_status_fields_unfold_to_the_remote_words(self):
        raw, m, parts = self.parse("failed")
        self.assertEqual(parts[1].get_content_type(), "message/delivery-status")
        head, rcpt = parts[1].get_payload()
        self.assertEqual(head["Original-Envelope-Id"], "abc+def")
        self.assertEqual(rcpt["Status"], "5.1.1")
        self.assertTrue(str(rcpt["Diagnostic-Code"]).startswith("smtp;550 5.1.1 no such user here, and this host"))
        self.assertTrue(str(rcpt["Diagnostic-Code"]).endswith("folded more than once"))

    def test_each_recipient_has_a_block(self):
        blocks = self.parse("mixed")[2][1].get_payload()[1:]
        self.assertEqual([b["Action"] for b in blocks], ["delivered", "delayed", "relayed", "failed", "expanded"])

    def test_the_message_comes_back_whole(self):
        part = self.parse("full")[2][2]
        self.assertEqual(part.get_content_type(), "message/rfc822")
        self.assertEqual(part.get_payload(0).get_payload(), "BODYMARK\r\n.dots\r\n")

    def test_unicode_words_are_read_back(self):
        parts = self.parse("unicode-recipient")[2]
        self.assertIn("<ü@noutf8.test>\n     grüße", parts[0].get_content().replace("\r\n", "\n"))
        self.assertIn("Subject: grüße\n.X: y\n", parts[2].get_content().replace("\r\n", "\n"))
        self.assertIn("utf-8;ü@noutf8.test".encode(), sample("unicode-sender"))


unittest.main()
