"""What mail is delivered to: Fairlead's own sink, aiosmtpd, and a name server with zones of our own."""
import json, os, shutil, signal, subprocess, tempfile

from aiosmtpd.controller import Controller

from fairlead import BINARY, eventually, free_port


class Sink:
    """`fairlead sink`; messages() are its lines so far."""

    def __init__(self, *args, port=None, script=None, ip="127.0.0.1"):
        self.port, self.dir = port or free_port(), tempfile.mkdtemp(prefix="fairlead-sink-")
        self.out, self.err = os.path.join(self.dir, "out"), os.path.join(self.dir, "err")
        if script:
            file = os.path.join(self.dir, "script.yaml")
            with open(file, "w") as f:
                f.write(script)
            args += ("--script", file)
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([BINARY, "sink", "--listen", "%s:%d" % (ip, self.port), *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        if not eventually(lambda: "listening" in self.said() or self.process.poll() is not None) or self.process.poll() is not None:
            raise RuntimeError("fairlead sink: " + self.said())

    def said(self):
        with open(self.err) as f:
            return f.read()

    def messages(self):
        with open(self.out) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def wait(self, n, seconds=20):
        """At least n messages, or as many as came in that time."""
        eventually(lambda: len(self.messages()) >= n, seconds)
        return self.messages()

    def stop(self):
        """Ends it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(5)
        shutil.rmtree(self.dir, ignore_errors=True)
        return status


class Aio:
    """A server of another make: aiosmtpd. `seen`: (peer address, EHLO name, envelope, whether under TLS)."""

    def __init__(self, ip="127.0.0.1", port=None, ssl_context=None, require_starttls=False):
        self.seen, self.port = [], port or free_port(ip)
        self.controller = Controller(self, hostname=ip, port=self.port, tls_context=ssl_context, require_starttls=require_starttls)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        self.seen.append((session.peer[0], session.host_name, envelope, session.ssl is not None))
        return "250 2.0.0 Ok"

    def stop(self):
        self.controller.stop()


class Nsd:
    """A real name server: zones {"two.test": ["@ MX 10 mx.two.test.", "mx A 127.0.0.1"]}."""

    def __init__(self, zones, port=None):
        self.port, self.dir = port or free_port(), tempfile.mkdtemp(prefix="fairlead-nsd-")
        conf = os.path.join(self.dir, "nsd.conf")
        with open(conf, "w") as f:
            f.write('server:\n  ip-address: 127.0.0.1@%d\n  username: ""\n  chroot: ""\n  zonesdir: "%s"\n  database: ""\n  pidfile: "%s/pid"\n  zonelistfile: "%s/zones"\n'
                    '  xfrdfile: "%s/xfrd"\n  server-count: 1\n  verbosity: 0\nremote-control:\n  control-enable: no\n' % ((self.port,) + (self.dir,) * 4))
            for name in zones:
                f.write('zone:\n  name: "%s"\n  zonefile: "%s.zone"\n' % (name, name))
        for name, records in zones.items():
            with open(os.path.join(self.dir, name + ".zone"), "w") as f:
                f.write("$ORIGIN %s.\n$TTL 60\n@ IN SOA ns.%s. ops.%s. 1 3600 600 86400 1\n@ IN NS ns.%s.\nns IN A 127.0.0.1\n" % ((name,) * 4))
                f.writelines(r.replace(" ", " IN ", 1) + "\n" for r in records)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(["nsd", "-d", "-c", conf], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        eventually(lambda: os.path.exists(os.path.join(self.dir, "pid")) or self.process.poll() is not None)
        if self.process.poll() is not None:
            with open(self.log.name, errors="replace") as f:
                raise RuntimeError("nsd: " + f.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
