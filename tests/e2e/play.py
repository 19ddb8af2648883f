"""A remote server whose every answer a test decides, and which remembers every line: TLS of any kind, log-ins, refusals."""
import base64, hashlib, hmac, os, socket, ssl, threading

from fairlead import free_port


class Mx:
    """Listens on ip. `context`: TLS, at once if `implicit`, else by STARTTLS; "broken": offered, and then no handshake.
    `auth`: the mechanisms offered with `login` (user, password). `answer(verb, line)` says what is replied instead of the usual; None: the usual.
    `seen`: what was delivered; `lines`: (under TLS, line) for all commands of all connections."""

    def __init__(self, ip="127.0.0.1", context=None, implicit=False, auth=(), auth_in_clear=False, login=("", ""), answer=None, extensions=("PIPELINING", "8BITMIME")):
        self.ip, self.port, self.context, self.implicit, self.login, self.answer = ip, free_port(ip), context, implicit, login, answer or (lambda verb, line: None)
        self.auth, self.auth_in_clear, self.extensions = auth, auth_in_clear, extensions
        self.seen, self.lines, self.connections, self.logins = [], [], 0, []
        self.listener = socket.create_server((ip, self.port), backlog=64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, peer = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=Conversation(self, s, peer[0]).run, daemon=True).start()

    def verbs(self):
        return [line.split(b" ")[0].split(b":")[0].upper().decode(errors="replace") for _, line in self.lines]

    def stop(self):
        self.listener.close()


class Conversation:
    def __init__(self, mx, s, peer):
        self.mx, self.s, self.peer, self.tls = mx, s, peer, False

    def run(self):
        try:
            if self.mx.implicit:
                self.begin_tls()
            else:
                self.f = self.s.makefile("rb")
            self.reset()
            self.say("220 mx.test ESMTP")
            while self.turn():
                pass
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.s.close()

    def reset(self):
        self.mail, self.rcpts = None, []

    def begin_tls(self):
        if self.mx.context == "broken":     # heard out, since closing with unread input would be a reset
            self.s.recv(4096)
            self.s.sendall(b"no TLS here\r\n")
            self.s.shutdown(socket.SHUT_WR)
            while self.s.recv(4096):
                pass
            raise OSError
        self.s.settimeout(20)
        self.s = self.mx.context.wrap_socket(self.s, server_side=True)
        self.f, self.tls = self.s.makefile("rb"), True

    def say(self, text):
        self.s.sendall(text.replace("\n", "\r\n").encode() + b"\r\n")

    def hear(self):
        line = self.f.readline()
        if not line:
            raise OSError
        line = line.rstrip(b"\r\n")
        self.mx.lines.append((self.tls, line))
        return line

    def turn(self):
        line = self.hear()
        verb = line.split(b" ")[0].upper().decode(errors="replace")
        said = self.mx.answer(verb, line.decode(errors="replace"))
        if said == "drop":
            return False
        if said:
            self.say(said)
            return not said.startswith("421")
        return getattr(self, "on_" + verb.lower(), self.on_other)(line)

    def on_other(self, line):
        self.say("500 5.5.1 unknown")
        return True

    def on_ehlo(self, line):
        self.reset()
        self.ehlo = line[5:].decode()
        offers = list(self.mx.extensions)
        if self.mx.context and not self.tls:
            offers.append("STARTTLS")
        if self.mx.auth and (self.tls or self.mx.auth_in_clear):
            offers.append("AUTH " + " ".join(self.mx.auth))
        self.say("\n".join(["250-mx.test"] + ["250-" + o for o in offers[:-1]] + ["250 " + o for o in offers[-1:]]) if offers else "250 mx.test")
        return True

    def on_starttls(self, line):
        self.say("220 2.0.0 go ahead")
        self.begin_tls()
        return True

    def on_mail(self, line):
        self.mail = line.decode(errors="replace")
        self.say("250 2.1.0 Ok")
        return True

    def on_rcpt(self, line):
        if self.mail is None:
            self.say("503 5.5.1 MAIL first")
            return True
        self.rcpts.append(line.decode(errors="replace"))
        self.say("250 2.1.5 Ok")
        return True

    def on_data(self, line):
        if not self.rcpts:
            self.say("554 5.5.1 no recipients")
            return True
        self.say("354 go ahead")
        content = self.content()
        said = self.mx.answer("DOT", "")
        if said == "drop":
            return False
        if not said or said.startswith("2"):
            self.mx.seen.append({"peer": self.peer, "ehlo": self.ehlo, "mail": self.mail, "rcpts": self.rcpts, "tls": self.tls, "content": content})
        self.say(said or "250 2.0.0 Ok")
        self.reset()
        return True

    def content(self):
        lines = []
        while True:
            line = self.f.readline()
            if not line:
                raise OSError
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line)

    def on_rset(self, line):
        self.reset()
        self.say("250 2.0.0 Ok")
        return True

    def on_quit(self, line):
        self.say("221 2.0.0 bye")
        return False

    def on_auth(self, line):
        words = line.split(b" ")
        good = getattr(self, "auth_" + words[1].decode().lower().replace("-", "_"))(words[2] if len(words) > 2 else None)
        self.mx.logins.append((words[1].decode(), self.tls, good))
        self.say("235 2.7.0 welcome" if good else "535 5.7.8 no")
        return True

    def challenge(self, raw):
        self.say("334 " + base64.b64encode(raw).decode())
        return base64.b64decode(self.hear())

    def auth_plain(self, initial):
        said = base64.b64decode(initial) if initial else self.challenge(b"")
        return said.split(b"\0")[1:] == [x.encode() for x in self.mx.login]

    def auth_login(self, initial):
        user = base64.b64decode(initial) if initial else self.challenge(b"Username:")
        return [user, self.challenge(b"Password:")] == [x.encode() for x in self.mx.login]

    def auth_cram_md5(self, initial):
        asked = b"<1.2@mx.test>"
        user, password = (x.encode() for x in self.mx.login)
        return self.challenge(asked) == user + b" " + hmac.new(password, asked, hashlib.md5).hexdigest().encode()

    def auth_scram_sha_256(self, initial):
        """RFC 5802, without channel binding."""
        first = base64.b64decode(initial) if initial else self.challenge(b"")
        bare = first.split(b",", 2)[2]
        salt, user = os.urandom(12), dict(x.split(b"=", 1) for x in bare.split(b","))
        if user[b"n"] != self.mx.login[0].encode():
            return False
        server = b"r=" + user[b"r"] + base64.b64encode(os.urandom(9)) + b",s=" + base64.b64encode(salt) + b",i=4096"
        without, proof = self.challenge(server).rsplit(b",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", self.mx.login[1].encode(), salt, 4096)
        key = hmac.new(salted, b"Client Key", "sha256").digest()
        said = bare + b"," + server + b"," + without
        good = base64.b64decode(proof) == bytes(a ^ b for a, b in zip(key, hmac.new(hashlib.sha256(key).digest(), said, "sha256").digest()))
        signature = hmac.new(hmac.new(salted, b"Server Key", "sha256").digest(), said, "sha256").digest()
        return good and self.challenge(b"v=" + base64.b64encode(signature)) == b""
