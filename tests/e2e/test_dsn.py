"""Delivery status notifications, as the sender sees them."""
import email, email.policy, smtplib

from fairlead import DaemonTest, eventually
from servers import Aio

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nthe body\r\n"


class Notices(DaemonTest):
    def test_success_returns_the_header_alone_whatever_ret_asks(self):
        sender, host = self.server(Aio(ip="127.0.0.21")), self.server(Aio(ip="127.0.0.22"))
        d = self.daemon()
        d.config["domains"] = {"acme.example": {"smart_host": "[127.0.0.21]:%d" % sender.port}, "*": {"smart_host": "[127.0.0.22]:%d" % host.port}}
        d.start()
        with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.sendmail("news@acme.example", ["b@two.example"], TEXT, ["RET=FULL"], ["NOTIFY=SUCCESS"])
        notice = email.message_from_bytes(self.first(sender).content, policy=email.policy.default)
        _, status, returned = notice.iter_parts()
        self.assertEqual(status.get_payload()[1]["Action"], "relayed")
        self.assertEqual(returned.get_content_type(), "text/rfc822-headers")
        self.assertNotIn("the body", notice.as_string())

    def first(self, server):
        """The first envelope that the server took."""
        self.assertTrue(eventually(lambda: server.seen))
        return server.seen[0][2]
