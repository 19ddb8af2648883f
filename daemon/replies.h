/* replies.h: everything that the server says by itself, in one table: code, enhanced code (RFC 3463), text.
 * Pure data. What a policy answers (ingest.h) comes with a text of its own and is not in here. */
#ifndef FL_REPLIES_H
#define FL_REPLIES_H

enum smtp_say {
    SAY_OK, SAY_MAIL_OK, SAY_RCPT_OK, SAY_CHUNK_OK, SAY_BYE, SAY_VRFY, SAY_HELP, SAY_START_TLS, SAY_GO_AHEAD, SAY_AUTH_OK,
    /* refused before or outside commands */
    SAY_TIMEOUT, SAY_TOO_MANY_ERRORS, SAY_DRAINING, SAY_TOO_MANY_CONNECTIONS, SAY_SHUT_OUT, SAY_NO_MEMORY, SAY_NOT_HTTP,
    SAY_TOO_MANY_FAILURES, SAY_CONF_CHANGED,
    /* lines */
    SAY_UNKNOWN, SAY_EMPTY, SAY_LINE_TOO_LONG, SAY_NOT_CRLF, SAY_CONTROL, SAY_NOT_IMPLEMENTED,
    /* arguments */
    SAY_NO_ARGUMENT, SAY_NEED_ARGUMENT, SAY_BAD_HELO, SAY_MAIL_SYNTAX, SAY_RCPT_SYNTAX, SAY_BDAT_SYNTAX,
    /* order */
    SAY_HELO_FIRST, SAY_NESTED_MAIL, SAY_MAIL_FIRST, SAY_NO_RCPT, SAY_AFTER_BDAT, SAY_BINARY_NEEDS_BDAT, SAY_NO_EXTENSION,
    /* who may */
    SAY_AUTH_REQUIRED, SAY_TLS_REQUIRED, SAY_RELAY_DENIED, SAY_TLS_UNAVAILABLE, SAY_TLS_ACTIVE,
    /* limits */
    SAY_TOO_BIG, SAY_TOO_MANY_RCPTS,
    /* content */
    SAY_BARE_NEWLINE, SAY_NUL,
    /* AUTH */
    SAY_AUTH_UNAVAILABLE, SAY_AUTH_TWICE, SAY_AUTH_IN_MAIL, SAY_AUTH_NEEDS_TLS, SAY_AUTH_UNKNOWN, SAY_AUTH_LINE_TOO_LONG,
    SAY_AUTH_BASE64, SAY_AUTH_CANCELED, SAY_AUTH_MALFORMED, SAY_AUTH_NO_INITIAL, SAY_AUTH_FAILED, SAY_AUTH_LATER,
    SAYS
};

struct smtp_reply {
    int code;
    const char *enhanced; /* "": none belongs there (RFC 2034 4: 220, 250 of EHLO, 3xx) */
    const char *text;
};

extern const struct smtp_reply smtp_replies[SAYS];

#endif
