/* Fuzzes the SMTP server core (daemon/smtp_server.c and the files below it): the text is a conversation as
 * tests/unit/transcript.h has it, whose expectations are ignored. It is played in each mode; nothing may break, and one mode
 * may not say more than another is allowed to: asserts and sanitizers judge. */
#include <stdint.h>
#include <stdlib.h>

#include "transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size);
    struct conversation *c;
    struct arena *a = arena_new(1 << 14);
    int line = 0;

    if (!a)
        abort();
    while ((c = transcript_next(a, "input", &rest, &line)))
        for (enum play_mode m = 0; m < PLAY_MODES; m++)
            transcript_play(a, c, m, false);
    arena_free(a);
    return 0;
}
