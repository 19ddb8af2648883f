"""What the remote server said is shown where people look for it: in the queue, in accounting, to the sender."""
import json, smtplib

from fairlead import DaemonTest, eventually
from servers import Sink

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n"


class Said(DaemonTest):
    def submit(self, reply):
        """One message to a server that answers MAIL with this."""
        sink = self.server(Sink(script='- {at: mail, do: "%s"}\n' % reply))
        d = self.daemon(sink.port).start()
        with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.sendmail("news@acme.example", ["b@two.test"], TEXT)
        return d

    def first(self, d, event):
        found = eventually(lambda: [e for e in d.accounting() if e["event"] == event])
        self.assertTrue(found)
        return {k: found[0].get(k) for k in ("stage", "code", "enhanced", "text")}

    def test_a_refusal_at_mail_sets_the_queue_back_with_its_words(self):
        d = self.submit("451 4.7.1 not from you")
        said = {"stage": "mail", "code": 451, "enhanced": "4.7.1", "text": "not from you"}
        self.assertEqual(self.first(d, "path_deferred"), said)
        row, = json.loads(d.cli("queue", "list", "--json").stdout)
        self.assertEqual({k: row["last_reply"][k] for k in said}, said)
        self.assertIn("not from you", row["why"])

    def test_a_refusal_at_mail_that_speaks_of_the_message_bounces_it_with_its_words(self):
        d = self.submit("552 5.3.4 too big for us")
        self.assertEqual(self.first(d, "bounced"), {"stage": "mail", "code": 552, "enhanced": "5.3.4", "text": "too big for us"})
