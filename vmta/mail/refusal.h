/* refusal.h: an SMTP refusal as data: what a parser hands to whoever speaks the protocol.
 * Pure; any thread. All texts are constants: nothing that a peer sent stands in them. */
#ifndef FL_REFUSAL_H
#define FL_REFUSAL_H

struct refusal {
    int code;             /* 501 */
    const char *enhanced; /* "5.5.4" (RFC 3463) */
    const char *text;     /* "Bad value of SIZE" */
};

#endif
