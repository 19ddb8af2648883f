/* transcript.h: SMTP conversations as text, and a player that holds the server core to them. Shared by the transcripts test,
 * which checks every reply, and the fuzzer, which takes the same files as seeds and checks that nothing breaks.
 *
 * A file has any number of conversations; each begins with a line "# title". Its lines:
 *   @: size=1000 auth=PLAIN …   options of the server (see set_option)
 *   P: rcpt    the usual beginning, up to the reply to this: greet, ehlo, mail, rcpt, data
 *   C: text    sent, with CRLF          C| text   sent as it is
 *   S: 250 2.1.0 *   the next reply, by its last line; * at the end stands for anything
 *   S- 250-SIZE 1000 the next line of a reply, exactly
 *   S: closed        the server closes
 *   ?: rcpt b@two.test      a question that must come (unasked ones of another kind are answered by themselves)
 *   !: accept | right | wrong | later | 550 5.1.1 text      the answer to the question above
 *   ?: nothing committed    no message was taken
 *   =| content       what was committed, in wire form
 *   T: handshake     the TLS handshake; "T: handshake foo": its certificate names a user
 *   W: 300000        milliseconds pass
 * In C and = lines: \r \n \t \0 \\ \xHH, and \(600 ab) for 600 times "ab". */
#ifndef FL_TRANSCRIPT_H
#define FL_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "slice.h"

enum step_kind { STEP_OPTION, STEP_SEND, STEP_REPLY, STEP_LINE, STEP_ASK, STEP_ANSWER, STEP_CONTENT, STEP_TLS, STEP_PASS,
                 STEP_UNKNOWN /* a line that means nothing */ };

enum { STEPS_MAX = 400, TRANSCRIPT_BYTES_MAX = 4 << 20 };

struct step {
    enum step_kind kind;
    int line;          /* in the file */
    struct slice text; /* decoded */
};

struct conversation {
    char *title;
    const char *file;
    int line;
    struct step steps[STEPS_MAX];
    int count;
};

/* The next conversation of a text, or NULL. *rest and *line advance. Memory out of a. */
struct conversation *transcript_next(struct arena *a, const char *file, struct slice *rest, int *line);

enum play_mode {
    PLAY_LINES, /* each C line is one read */
    PLAY_BYTES, /* each byte is one read */
    PLAY_WHOLE, /* all that is sent up to a handshake or a pause is one read */
    PLAY_MODES
};

/* Whether it is one that cuts would change ("@: one-write"): what a client sends behind STARTTLS in the same read. */
bool transcript_is_one_write(const struct conversation *c);
/* Plays it. NULL, or what went wrong (out of a). check false: only that nothing breaks, and that what is said are whole lines. */
const char *transcript_play(struct arena *a, const struct conversation *c, enum play_mode mode, bool check);

#endif
