/* sink_record.c: what a test MX keeps of a message. */
#include "sink_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "digest.h"

enum { LINES_AT_ONCE = 64 * 1024 }; /* octets that wait for a flush before one is made */

int sink_record_open(struct sink_record *r, const struct sink_options *options, struct fl_err *err)
{
    *r = (struct sink_record){ .options = options, .mbox = -1 };
    buf_init(&r->lines, 0);
    if (options->eml && mkdir(options->eml, 0777) < 0 && errno != EEXIST)
        return fl_fail(err, fl_code_of_errno(errno), "%s: %s", options->eml, strerror(errno));
    if (options->mbox) {
        r->mbox = open(options->mbox, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (r->mbox < 0)
            return fl_fail(err, fl_code_of_errno(errno), "%s: %s", options->mbox, strerror(errno));
    }
    return 0;
}

void sink_record_close(struct sink_record *r)
{
    sink_record_flush(r);
    buf_free(&r->lines);
    if (r->mbox >= 0)
        close(r->mbox);
    r->mbox = -1;
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

void sink_record_flush(struct sink_record *r)
{
    if (!buf_len(&r->lines))
        return;
    if (write_all(STDOUT_FILENO, buf_slice(&r->lines)) < 0)
        fprintf(stderr, "fairlead sink: stdout: %s\n", strerror(errno));
    buf_clear(&r->lines);
}

/* ---------------------------------------------------------------- the line */
/* How many bytes of s, at least one, are one well-formed UTF-8 character; 0 when they are none. */
static size_t utf8_character(struct slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (slice_is_utf8(slice_head(s, n)))
            return n;
    return 0;
}

/* How many bytes of s, from the first on, stand in a JSON string as they are. */
static size_t plain_run(struct slice s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n;
}

/* The first character of s, which is not plain; a byte that is no UTF-8 becomes U+FFFD. *ret is how many bytes it had. */
static int add_odd_character(struct buf *b, struct slice s, size_t *ret)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 0 : utf8_character(s);

    *ret = n ? n : 1;
    if (c == '"' || c == '\\')
        return buf_printf(b, "\\%c", c);
    if (c < 0x80)
        return buf_printf(b, "\\u%04x", c);
    return n ? buf_add(b, slice_head(s, n)) : buf_add_text(b, "\\ufffd");
}

/* A JSON string (RFC 8259 7). */
static int add_string(struct buf *b, struct slice s)
{
    int rc = buf_add_char(b, '"');

    while (s.n && rc == 0) {
        size_t n = plain_run(s);

        rc = n ? buf_add(b, slice_head(s, n)) : add_odd_character(b, s, &n);
        s = slice_skip(s, n);
    }
    return rc == 0 ? buf_add_char(b, '"') : rc;
}

static int add_json(struct buf *b, int64_t wall_ms, const struct sink_peer *peer, const struct sink_message *m)
{
    char time[CLOCK_RFC3339], sum[DIGEST_HEX];
    int rc;

    clock_rfc3339(wall_ms, time);
    digest_sha256_hex(m->content, sum);
    rc = buf_printf(b, "{\"time\":\"%s\",\"client_ip\":\"%s\",\"ehlo\":", time, peer->ip);
    if (rc == 0)
        rc = add_string(b, m->ehlo);
    if (rc == 0)
        rc = peer->tls_version ? buf_printf(b, ",\"tls\":{\"version\":\"%s\",\"cipher\":\"%s\"},\"from\":", peer->tls_version, peer->tls_cipher)
                               : buf_add_text(b, ",\"tls\":null,\"from\":");
    if (rc == 0)
        rc = add_string(b, m->from);
    for (size_t i = 0; i < m->to_count && rc == 0; i++) {
        rc = buf_add_text(b, i ? "," : ",\"to\":[");
        if (rc == 0)
            rc = add_string(b, m->to[i]);
    }
    if (rc == 0)
        rc = buf_printf(b, "],\"size\":%llu,\"sha256\":\"%s\"}\n", (unsigned long long)m->size, sum);
    return rc;
}

/* "12:30:01 from 127.0.0.11, EHLO "m1.acme.example", TLSv1.3: "a@acme.example" -> "b@example.net", 612 bytes" */
static int add_sentence(struct buf *b, int64_t wall_ms, const struct sink_peer *peer, const struct sink_message *m)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;
    int rc;

    localtime_r(&t, &tm);
    rc = buf_printf(b, "%02d:%02d:%02d arrived from %s, EHLO ", tm.tm_hour, tm.tm_min, tm.tm_sec, peer->ip);
    if (rc == 0)
        rc = add_string(b, m->ehlo);
    if (rc == 0)
        rc = buf_printf(b, ", %s%s%s: ", peer->tls_version ? peer->tls_version : "no TLS", peer->tls_version ? " " : "",
                        peer->tls_version ? peer->tls_cipher : "");
    if (rc == 0)
        rc = add_string(b, m->from);
    for (size_t i = 0; i < m->to_count && rc == 0; i++) {
        rc = buf_add_text(b, i ? ", " : " -> ");
        if (rc == 0)
            rc = add_string(b, m->to[i]);
    }
    return rc == 0 ? buf_printf(b, ", %llu bytes\n", (unsigned long long)m->size) : rc;
}

/* ---------------------------------------------------------------- the files */
/* mboxrd: lines end in LF, and ">" stands before every "From ", quoted or not. */
static int add_mbox(struct buf *b, int64_t wall_ms, const struct sink_message *m)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct slice rest = m->content, sender = m->from.n ? m->from : SLICE("MAILER-DAEMON");
    struct tm tm;
    char date[32];
    int rc;

    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
    rc = buf_printf(b, "From %.*s %s\n", SLICE_ARG(sender), date);
    while (rest.n && rc == 0) {
        struct slice line = slice_cut(&rest, '\n'), quoted;

        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        for (quoted = line; quoted.n && quoted.p[0] == '>';)
            quoted = slice_skip(quoted, 1);
        if (slice_eq(slice_head(quoted, 5), SLICE("From ")))
            rc = buf_add_char(b, '>');
        if (rc == 0)
            rc = buf_add(b, line);
        if (rc == 0)
            rc = buf_add_char(b, '\n');
    }
    return rc == 0 ? buf_add_char(b, '\n') : rc;
}

static int append_mbox(struct sink_record *r, int64_t wall_ms, const struct sink_message *m, struct fl_err *err)
{
    struct buf b;
    int rc;

    buf_init(&b, 0);
    rc = add_mbox(&b, wall_ms, m);
    if (rc < 0) {
        fl_fail(err, rc, "out of memory");
    } else {
        rc = write_all(r->mbox, buf_slice(&b)); /* one write, so that a reader never sees half a message */
        if (rc < 0)
            rc = fl_fail(err, fl_code_of_errno(-rc), "%s: %s", r->options->mbox, strerror(-rc));
    }
    buf_free(&b);
    return rc;
}

/* DIR/000001.eml and so on, never one that is there already. */
static int write_eml(struct sink_record *r, const struct sink_message *m, struct fl_err *err)
{
    char path[4096];
    int fd, rc;

    do {
        snprintf(path, sizeof path, "%s/%06llu.eml", r->options->eml, (unsigned long long)++r->files);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0)
        return fl_fail(err, fl_code_of_errno(errno), "%s: %s", path, strerror(errno));
    rc = write_all(fd, m->content);
    close(fd);
    return rc < 0 ? fl_fail(err, fl_code_of_errno(-rc), "%s: %s", path, strerror(-rc)) : 0;
}

int sink_record_message(struct sink_record *r, int64_t wall_ms, const struct sink_peer *peer, const struct sink_message *m,
                        struct fl_err *err)
{
    int rc = 0;

    if (r->mbox >= 0)
        rc = append_mbox(r, wall_ms, m, err);
    if (rc == 0 && r->options->eml)
        rc = write_eml(r, m, err);
    if (rc < 0 || r->options->quiet)
        return rc;
    rc = r->options->human ? add_sentence(&r->lines, wall_ms, peer, m) : add_json(&r->lines, wall_ms, peer, m);
    if (rc < 0)
        return fl_fail(err, rc, "out of memory");
    if (buf_len(&r->lines) > LINES_AT_ONCE)
        sink_record_flush(r);
    return 0;
}
