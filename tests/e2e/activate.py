#!/usr/bin/python3
"""What systemd does for a .socket unit: binds each ADDRESS:PORT, and runs the command with those as descriptors 3 and up
(sd_listen_fds(3)): activate.py ADDRESS:PORT… -- COMMAND…"""
import os, socket, sys

FIRST, ASIDE = 3, 100


def bound(text):
    ip, port = text.rsplit(":", 1)
    s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ip.strip("[]"), int(port)))
    s.listen(16)
    return s.detach()


def main(addresses, command):
    aside = [os.dup2(bound(a), ASIDE + i) for i, a in enumerate(addresses)]
    for i, fd in enumerate(aside):
        os.dup2(fd, FIRST + i, inheritable=True)
    os.closerange(FIRST + len(aside), ASIDE + len(aside))
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(aside)))
    os.execvp(command[0], command)


if __name__ == "__main__":
    at = sys.argv.index("--")
    main(sys.argv[1:at], sys.argv[at + 1:])
