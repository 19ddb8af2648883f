/* reply.h: a remote server's reply, read line by line from a stream. It is hostile input: lines, their number and
 * the total are bounded, and its text is cleaned before anything else sees it.
 * Pure; one thread at a time. vmta/smtp_client.c feeds it. */
#ifndef FL_REPLY_H
#define FL_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum {
    REPLY_LINE_MAX = 1000,       /* octets of a line that are looked at (RFC 5321 4.5.3.1.5 allows 512); the rest is skipped */
    REPLY_LINES_MAX = 200,       /* lines of one reply */
    REPLY_BYTES_MAX = 64 * 1024, /* octets of one reply */
    REPLY_TEXT_MAX = 500,        /* octets of text kept */
    REPLY_ENHANCED = 12,         /* "5.123.123" and a NUL */
    REPLY_SHOWN = REPLY_TEXT_MAX + 32, /* room for code, enhanced code and text */
};

/* One whole reply. Plain data: may be copied and kept. */
struct reply {
    int code;                      /* 200 … 599; 0: none */
    char enhanced[REPLY_ENHANCED]; /* "5.1.1"; "" when none was given, or one of another class than code */
    char text[REPLY_TEXT_MAX + 1]; /* all lines, joined by a blank, without codes; valid UTF-8 without control characters */
};

enum reply_status {
    REPLY_MORE,      /* *in is used up; the reply goes on */
    REPLY_LINE,      /* one line of several was read: reply_line(); call again */
    REPLY_DONE,      /* its last line was read: reply_line(), reply_get(); *in is what follows */
    REPLY_MALFORMED, /* no SMTP reply, or a bound was passed: close the connection */
};

/* All members are private. */
struct reply_parser {
    struct reply reply;
    size_t text_n, total, lines;
    size_t line_n;
    bool line_whole; /* the line was read to its end: the next byte begins another */
    bool done;       /* it was the reply's last */
    char line[REPLY_LINE_MAX];
};

void reply_init(struct reply_parser *p);
/* Reads on in *in, up to the end of one line at most. A new reply begins by itself after REPLY_DONE. */
enum reply_status reply_next(struct reply_parser *p, struct slice *in);
/* The text of the line just read: without code, separator and line end; uncleaned, for EHLO's keywords and SASL's challenges
 * only. Valid until the next reply_next. */
struct slice reply_line(const struct reply_parser *p);
/* After REPLY_DONE. */
static inline const struct reply *reply_get(const struct reply_parser *p)
{
    return &p->reply;
}
/* True in the middle of a reply. */
bool reply_is_pending(const struct reply_parser *p);

/* Copies text so that it may stand in logs, DSNs, databases and terminals: UTF-8, control characters (C1 too) and what is no
 * UTF-8 replaced by '?', tabs by blanks, cut at a character to fit size. Returns the length. */
size_t reply_clean(struct slice text, char *ret, size_t size);
/* A reply made here, for failures that have none ("connection timed out"). enhanced may be "". text is cleaned. */
void reply_set(struct reply *r, int code, const char *enhanced, struct slice text);
/* "550 5.1.1 no such user", for people. */
void reply_text(const struct reply *r, char ret[REPLY_SHOWN]);
/* The enhanced code, or the one that its class alone gives: "5.0.0", "4.0.0", "2.0.0". */
const char *reply_status_code(const struct reply *r);

#endif
