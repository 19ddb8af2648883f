/* passwd.c: `fairlead passwd`: makes what stands in a configuration in the place of a password. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth_secret.h"
#include "cmd.h"

enum { PASSWORD_MAX = 511 }; /* octets: crypt(3) takes no more */

/* One line from the terminal or a pipe, without its newline. Returns its length, or -1 at the end of input. */
static ssize_t read_line(char *ret, size_t size)
{
    size_t n = 0;

    for (;;) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return n ? (ssize_t)n : -1;
        if (c == '\n')
            return (ssize_t)n;
        if (n + 1 < size)
            ret[n] = c;
        n++; /* above size: too long, which the caller sees */
    }
}

/* Asks on the terminal, without echo; from a pipe just reads. */
static ssize_t ask(const char *prompt, char *ret, size_t size)
{
    struct termios old, quiet;
    bool is_terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    ssize_t n;

    if (!is_terminal)
        return read_line(ret, size);
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s: ", prompt);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    n = read_line(ret, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
    return n;
}

static int wrong(const char *what)
{
    fprintf(stderr, "fairlead passwd: %s\n", what);
    return CMD_WRONG;
}

/* Reads the password, on a terminal twice. */
static int get_password(char *ret, size_t size, size_t *ret_n)
{
    char again[PASSWORD_MAX + 1];
    ssize_t n = ask("Password", ret, size), m;
    bool same;

    if (n <= 0)
        return wrong("no password was given");
    if ((size_t)n >= size)
        return wrong("the password is too long");
    if (memchr(ret, '\0', (size_t)n))
        return wrong("the password has a NUL in it");
    *ret_n = (size_t)n;
    if (!isatty(STDIN_FILENO))
        return CMD_DONE;
    m = ask("Again", again, sizeof again);
    same = m == n && memcmp(ret, again, (size_t)n) == 0;
    explicit_bzero(again, sizeof again);
    return same ? CMD_DONE : wrong("the two are not the same");
}

static int print_secret(struct slice password, bool scram)
{
    struct fl_err err;
    struct buf out;
    int rc, status = CMD_DONE;

    buf_init(&out, 0);
    rc = scram ? secret_make_verifier(password, &out, &err) : secret_make_hash(password, &out, &err);
    if (rc < 0)
        status = wrong(err.text);
    else
        printf("%.*s\n", SLICE_ARG(buf_slice(&out)));
    buf_wipe(&out);
    return status;
}

static int passwd_run(const struct cmd_globals *globals, int argc, char **argv)
{
    static const struct option options[] = { { "scram", no_argument, NULL, 's' }, { 0 } };
    char password[PASSWORD_MAX + 1];
    bool scram = false;
    size_t n;
    int c, status;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c != 's')
            return cmd_usage(&cmd_passwd, "unknown option '%s'", argv[optind - 1]);
        scram = true;
    }
    if (optind < argc)
        return cmd_usage(&cmd_passwd, "unexpected '%s'", argv[optind]);
    status = get_password(password, sizeof password, &n);
    if (status == CMD_DONE)
        status = print_secret(slice_make(password, n), scram);
    explicit_bzero(password, sizeof password);
    return status;
}

const struct cmd cmd_passwd = {
    .name = "passwd",
    .summary = "makes a password hash or SCRAM verifier for the configuration",
    .help = "usage: fairlead passwd [--scram]\n\n"
            "Reads a password from the terminal (without echo, twice) or one line from stdin, and prints what stands for\n"
            "it in the configuration: a yescrypt hash for `password: {hash: ...}`, with which PLAIN and LOGIN work.\n\n"
            "  --scram   a verifier for `password: {scram: ...}` instead, with which SCRAM-SHA-256 works as well\n\n"
            "Example:\n"
            "  fairlead passwd --scram < secret.txt\n",
    .run = passwd_run,
};
