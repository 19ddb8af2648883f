"""Mail servers of other makes: Exim and OpenSMTPD, each in a root of its own by chroot (tests/kits unpacks them), and Postfix. Each takes
mail for everybody into one mailbox, knows a recipient that does not exist and one that it defers until told otherwise, and can relay on."""
import collections, contextlib, glob, os, re, shutil, signal, socket, subprocess, tempfile, unittest

from fairlead import BUILD, START_S, eventually, free_port

STOP_S = 20
KITS = os.path.join(BUILD, "kits")
SIZE_MAX = 200 << 10            # bytes that each of them takes
UNKNOWN, GREY = "nobody@two.test", "grey@two.test"
LOGIN, SECRET = "me", "a secret, of sorts"
RECEIVED = re.compile(r"Received: (?P<text>.*?)\n(?=\S)", re.S)

# A message as it was taken: the server's own Received: line, and all that was sent to it, lines ended by CR LF.
Arrived = collections.namedtuple("Arrived", "received content")


def text_of(*names):
    """Of those that are there."""
    texts = []
    for name in names:
        if os.path.exists(name):
            with open(name, errors="replace") as f:
                texts.append(f.read())
    return "".join(texts)


def banner(ip, port):
    try:
        with socket.create_connection((ip, port), 5) as s:
            return s.recv(3) == b"220"
    except OSError:
        return False


class Kit:
    """What they have in common: a folder, a process group, a port, a maildir. `next_hop`: (port, CA file): all is relayed there, with
    LOGIN and under TLS, or without both when the CA file is None."""
    box = None                  # the maildir
    CONNECTED = None            # what its log says of a connection
    pipelining = utf8 = chunking = tls = True
    START_S = START_S

    def __init__(self, ip, pair, next_hop=None):
        if os.geteuid():
            raise unittest.SkipTest("mail servers of other makes are started by root only")
        self.ip, self.port, self.next_hop = ip, free_port(ip), next_hop
        self.name = "mx.%s.test" % type(self).__name__.lower()
        self.prepare(pair)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        eventually(lambda: banner(ip, self.port) or self.process.poll() is not None, self.START_S)
        if self.process.poll() is not None or not banner(ip, self.port):
            said = self.said()
            self.stop()
            raise RuntimeError("%s: not ready\n%s" % (type(self).__name__, said[-3000:]))

    def unpacked(self, kit):
        """A root to change the root to: hard links to what was unpacked."""
        source = os.path.join(KITS, kit)
        if not os.path.isdir(source):
            raise unittest.SkipTest("%s is not there: ./dev test fetches it" % source)
        self.dir = tempfile.mkdtemp(prefix=kit + "-", dir=KITS)
        os.chmod(self.dir, 0o755)
        subprocess.run(["cp", "-al", source + "/.", self.dir], check=True)
        return self.dir

    def write(self, name, text, mode=0o644):
        """A file of its own, whatever stands there."""
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def write_certificate(self, pair):
        for name, source in zip(("etc/tls.pem", "etc/tls.key"), pair):
            self.write(name, text_of(source), 0o600)

    def said(self):
        return text_of(self.log.name)

    def arrived(self):
        found = []
        for path in sorted(glob.glob(os.path.join(self.box, "new", "*"))):
            with open(path, "rb") as f:
                text = f.read().decode("latin-1").replace("\r\n", "\n")
            own = RECEIVED.search(text)
            found.append(Arrived(" ".join(own["text"].split()), text[own.end():].replace("\n", "\r\n").encode("latin-1")))
        return found

    def wait(self, n, seconds=30):
        eventually(lambda: len(glob.glob(os.path.join(self.box, "new", "*"))) >= n, seconds, 0.2)
        return self.arrived()

    def connections(self, peer):
        """How many came from this address."""
        return len(re.findall(self.CONNECTED % re.escape(peer), self.said()))

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
            os.killpg(self.process.pid, signal.SIGKILL)     # deliveries that it had begun
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Exim(Kit):
    """Offers SIZE, 8BITMIME, PIPELINING, CHUNKING, SMTPUTF8, STARTTLS; on auth_port wants a log-in by one of `mechanisms`."""
    CONNECTED = r"SMTP connection from \[%s\]:\d+ \("
    CONFIG = """primary_hostname = %(name)s
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
log_selector = +pipelining +incoming_port +smtp_connection
pid_file_path = /run/exim.pid
keep_environment =
local_interfaces = %(ip)s
daemon_smtp_ports = %(port)d : %(auth_port)d
tls_advertise_hosts = *
tls_certificate = /etc/tls.pem
tls_privatekey = /etc/tls.key
message_size_limit = %(size)d
smtp_accept_max = 500
smtp_accept_queue_per_connection = 0
host_lookup =
rfc1413_query_timeout = 0s
smtputf8_advertise_hosts = *
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
received_header_text = Received: from $sender_helo_name ([$sender_host_address]:$sender_host_port) by $primary_hostname with $received_protocol${if def:tls_in_ver{ tls $tls_in_ver}} id $message_exim_id
begin acl
mail:
  deny condition = ${if and{{eq{$received_port}{%(auth_port)d}}{!def:sender_host_authenticated}}}
       message = 5.7.0 log in first
  accept
rcpt:
  deny local_parts = nobody
       message = 5.1.1 no such user
  defer local_parts = grey
        !condition = ${if exists{/tmp/known}}
        message = 4.7.1 greylisted, come back later
  accept
begin routers
%(router)s
begin transports
inbox:
  driver = appendfile
  directory = /home/mailbox/Maildir
  maildir_format
  user = mailbox
  message_prefix =
  message_suffix =
onward:
  driver = smtp
  port = %(onward)s
  allow_localhost
  interface = 127.0.0.2
  helo_data = %(name)s
  %(security)s
  hosts_try_chunking = *
begin retry
* * F,1h,1s
begin authenticators
%(authenticators)s
"""
    SERVER_SIDE = {
        "PLAIN": "plain:\n  driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n"
                 "  server_condition = ${if and{{eq{$auth2}{%s}}{eq{$auth3}{%s}}}}\n  server_set_id = $auth2\n",
        "LOGIN": "login:\n  driver = plaintext\n  public_name = LOGIN\n  server_prompts = Username:: : Password::\n"
                 "  server_condition = ${if and{{eq{$auth1}{%s}}{eq{$auth2}{%s}}}}\n  server_set_id = $auth1\n",
        "CRAM-MD5": "cram:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  server_secret = ${if eq{$auth1}{%s}{%s}fail}\n  server_set_id = $auth1\n",
    }
    CLIENT_SIDE = {
        "PLAIN": "plain:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = ^%s^%s\n",
        "LOGIN": "login:\n  driver = plaintext\n  public_name = LOGIN\n  client_send = : %s : %s\n",
        "CRAM-MD5": "cram:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  client_name = %s\n  client_secret = %s\n",
    }

    def __init__(self, ip, pair, next_hop=None, mechanisms=("PLAIN",), login=(LOGIN, SECRET)):
        self.auth_port, self.mechanisms, self.login = free_port(ip), mechanisms, login
        super().__init__(ip, pair, next_hop)

    def prepare(self, pair):
        root = self.unpacked("exim")
        self.box = os.path.join(root, "home/mailbox/Maildir")
        self.write_certificate(pair)
        who = pwd_entry(root, "Debian-exim")
        for folder in ("var/spool/exim4", "var/log/exim4"):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
            os.chown(os.path.join(root, folder), *who)
        os.chown(os.path.join(root, "etc/tls.pem"), *who)
        os.chown(os.path.join(root, "etc/tls.key"), *who)
        os.chown(os.path.join(root, "home/mailbox"), *pwd_entry(root, "mailbox"))
        port, ca = self.next_hop or (0, None)
        if ca:
            os.chown(self.write("etc/ca.pem", text_of(ca)), *who)
        side = self.CLIENT_SIDE if ca else self.SERVER_SIDE
        self.write("etc/exim4/exim4.conf", self.CONFIG % {
            "name": self.name, "ip": self.ip, "port": self.port, "auth_port": self.auth_port, "size": SIZE_MAX, "onward": port or 25,
            "router": "all:\n  driver = manualroute\n  transport = onward\n  route_list = * 127.0.0.1\n  self = send" if port else "all:\n  driver = accept\n  transport = inbox",
            "security": "hosts_require_tls = *\n  hosts_require_auth = *\n  tls_verify_certificates = /etc/ca.pem\n  tls_verify_cert_hostnames =" if ca else "",
            "authenticators": "".join(side[m] % self.login for m in self.mechanisms)})

    def argv(self):
        return ["chroot", self.dir, "/usr/sbin/exim4", "-bdf", "-q1s" if self.next_hop else "-q1h"]

    def said(self):
        return text_of(self.log.name, *(os.path.join(self.dir, "var/log/exim4", n) for n in ("mainlog", "paniclog", "rejectlog")))

    def know(self):
        """What was greylisted is welcome from now on."""
        self.write("tmp/known", "")


class OpenSmtpd(Kit):
    """Offers SIZE, 8BITMIME, DSN, neither PIPELINING nor SMTPUTF8; and STARTTLS, whose handshake always fails: Debian 12's 6.8.0p2 was made
    for OpenSSL 1.1 (OpenSMTPD issue 1171), so it is a server with broken TLS as there are many. As a client its TLS works."""
    CONNECTED = "smtp connected address=%s "
    pipelining = utf8 = chunking = tls = False

    def __init__(self, ip, pair, next_hop=None, login=(LOGIN, SECRET)):
        self.login = login
        super().__init__(ip, pair, next_hop)

    def prepare(self, pair):
        root = self.unpacked("opensmtpd")
        self.box = os.path.join(root, "home/mailbox/Maildir")
        self.write_certificate(pair)
        os.chown(os.path.join(root, "home/mailbox"), *pwd_entry(root, "mailbox"))
        os.makedirs(os.path.join(root, "run/opensmtpd"), mode=0o755, exist_ok=True)
        self.write("etc/secrets", "onward %s:%s\n" % self.login)
        self.write("etc/grey", GREY + "\n")
        port, ca = self.next_hop or (0, None)
        if ca:
            self.write("etc/ssl/certs/ca-certificates.crt", text_of(ca))
        self.write("etc/smtpd.conf", """
pki %(name)s cert "/etc/tls.pem"
pki %(name)s key "/etc/tls.key"
table secrets file:/etc/secrets
table grey file:/etc/grey
table unknown { "%(unknown)s" }
table boxes { "@" = mailbox }
smtp max-message-size %(size)d
filter greylist phase rcpt-to match rcpt-to <grey> reject "451 4.7.1 greylisted, come back later"
filter nobody phase rcpt-to match rcpt-to <unknown> reject "550 5.1.1 no such user"
filter both chain { greylist, nobody }
listen on %(ip)s port %(port)d tls pki %(name)s hostname %(name)s filter both
action "inbox" maildir "/home/mailbox/Maildir" virtual <boxes>
action "onward" relay host "%(onward)s" %(tls)s helo %(name)s src 127.0.0.2
match from any for any action "%(action)s"
""" % {"name": self.name, "ip": self.ip, "port": self.port, "size": SIZE_MAX, "unknown": UNKNOWN,
       "onward": "smtp+tls://onward@127.0.0.1:%d" % port if ca else "smtp+notls://127.0.0.1:%d" % port,
       "tls": "tls auth <secrets>" if ca else "", "action": "onward" if port else "inbox"})

    def argv(self):
        return ["chroot", self.dir, "/usr/sbin/smtpd", "-dv"]

    def know(self):
        """What was greylisted is welcome from now on."""
        self.write("etc/grey", "somebody-else@two.test\n")
        subprocess.run(["chroot", self.dir, "/usr/sbin/smtpctl", "update", "table", "grey"], check=True, capture_output=True)


class Postfix(Kit):
    """Offers PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING, STARTTLS; knows no log-ins."""

    CONNECTED = r": connect from unknown\[%s\]"
    MAIN = """compatibility_level = 3.6
queue_directory = %(dir)s/spool
data_directory = %(dir)s/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = %(dir)s/mail.log
maillog_file_prefixes = %(dir)s
myhostname = %(name)s
mydestination =
virtual_mailbox_domains = static:all
virtual_mailbox_base = %(dir)s/box
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_recipient_access texthash:%(dir)s/access, permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_chain_files = %(dir)s/etc/tls.key, %(dir)s/etc/tls.pem
smtpd_tls_received_header = yes
message_size_limit = %(size)d
virtual_mailbox_limit = 0
default_process_limit = 50
in_flow_delay = 0
minimal_backoff_time = 1s
queue_run_delay = 1s
smtp_bind_address = 127.0.0.2
smtp_helo_name = %(name)s
%(onward)s
"""
    ONWARD = """virtual_mailbox_domains =
default_transport = smtp
relay_transport = smtp
relayhost = [127.0.0.1]:%d
"""
    SECURE = """smtp_tls_security_level = secure
smtp_tls_secure_cert_match = relay.test
smtp_tls_CAfile = %s
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:%s/secrets
smtp_sasl_security_options = noanonymous
smtp_tls_security_options =
"""

    START_S = 20

    def __init__(self, ip, pair, next_hop=None, login=(LOGIN, SECRET)):
        self.login = login
        for left in (2, 1, 0):
            try:
                super().__init__(ip, pair, next_hop)
                if self.logs():
                    return
            except RuntimeError:
                if not left:
                    raise
        raise RuntimeError("Postfix: its logger did not come up")

    def logs(self):
        """Now and then its logger does not come up, and then all of it waits for ever: ended then."""
        good = eventually(lambda: ": connect from" in self.said(), self.START_S)
        if not good:
            self.stop()
        return good

    def prepare(self, pair):
        self.dir = tempfile.mkdtemp(prefix="fairlead-postfix-")
        os.chmod(self.dir, 0o755)
        self.box = os.path.join(self.dir, "box/inbox")
        self.write_certificate(pair)
        for folder in ("spool", "data", "box"):
            os.makedirs(os.path.join(self.dir, folder))
        shutil.chown(os.path.join(self.dir, "data"), "postfix")
        shutil.chown(os.path.join(self.dir, "box"), "nobody")
        port, ca = self.next_hop or (0, None)
        onward = self.ONWARD % port if port else ""
        if ca:
            onward += self.SECURE % (ca, self.dir)
        self.write("secrets", "[127.0.0.1]:%d %s:%s\n" % (port, *self.login))
        self.write("access", "%s 550 5.1.1 no such user\n%s 451 4.7.1 greylisted, come back later\n" % (UNKNOWN, GREY))
        self.write("etc/main.cf", self.MAIN % {"dir": self.dir, "name": self.name, "ip": self.ip, "size": SIZE_MAX, "onward": onward})
        with open("/usr/share/postfix/master.cf.dist") as f:
            self.write("etc/master.cf", "".join(self.service(line) for line in f if line.strip() and not line.startswith("#")))
        shutil.copy("/etc/postfix/postfix-files", os.path.join(self.dir, "etc"))
        if os.path.isdir("/etc/postfix/postfix-files.d"):
            shutil.copytree("/etc/postfix/postfix-files.d", os.path.join(self.dir, "etc/postfix-files.d"))
        subprocess.run(["postfix", "-c", os.path.join(self.dir, "etc"), "check"], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def service(self, line):
        """No chroot; the smtp listener on our port."""
        x = line.split()
        if len(x) < 8 or line[0].isspace():
            return line
        x[4] = "n"
        if x[:2] == ["smtp", "inet"]:
            x[0] = "%s:%d" % (self.ip, self.port)
        return " ".join(x) + "\n"

    def argv(self):
        return ["postfix", "-c", os.path.join(self.dir, "etc"), "start-fg"]

    def said(self):
        return text_of(self.log.name, os.path.join(self.dir, "mail.log"))

    def know(self):
        """What was greylisted is welcome from now on."""
        self.write("access", "%s 550 5.1.1 no such user\n" % UNKNOWN)
        subprocess.run(["postfix", "-c", os.path.join(self.dir, "etc"), "reload"], check=True, capture_output=True)

    def stop(self):
        """By its own command. Where its logger did not come up, each of its programs waits for it for ever, that one too: then by force."""
        command = subprocess.Popen(["postfix", "-c", os.path.join(self.dir, "etc"), "stop"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            command.wait(STOP_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(text_of(os.path.join(self.dir, "spool/pid/master.pid"))), signal.SIGKILL)
            command.wait()
        super().stop()


def pwd_entry(root, user):
    """(uid, gid) of a user of that root."""
    with open(os.path.join(root, "etc/passwd")) as f:
        for line in f:
            x = line.split(":")
            if x[0] == user:
                return int(x[2]), int(x[3])
    raise KeyError(user)
