/* Plays each conversation of the files that it is given: line by line, cut at every byte, and in one write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "transcript.h"

enum { CONVERSATIONS_MAX = 1000 };

static void plays_as_written(void **state)
{
    static const char *const modes[PLAY_MODES] = { "line by line", "cut at every byte", "in one write" };
    const struct conversation *c = *state;

    for (enum play_mode m = 0; m < PLAY_MODES; m++) {
        struct arena *a = m == PLAY_BYTES && transcript_is_one_write(c) ? NULL : arena_new(4096);
        const char *wrong = a ? transcript_play(a, c, m, true) : NULL;

        if (wrong)
            print_error("%s (%s)\n", wrong, modes[m]);
        assert_null(wrong);
        arena_free(a);
    }
}

static struct slice read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b;
    char piece[4096];
    struct slice all;
    size_t n;

    buf_init(&b, TRANSCRIPT_BYTES_MAX);
    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(&b, slice_make(piece, n));
    if (f)
        fclose(f);
    all = arena_copy(a, buf_slice(&b));
    buf_free(&b);
    return all;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[CONVERSATIONS_MAX];
    struct arena *a = arena_new(1 << 16);
    size_t count = 0;
    int failed;

    for (int i = 1; i < argc; i++) {
        struct slice rest = read_file(a, argv[i]);
        struct conversation *c;
        int line = 0;

        while (count < CONVERSATIONS_MAX && (c = transcript_next(a, argv[i], &rest, &line)))
            tests[count++] = (struct CMUnitTest){ .name = c->title, .test_func = plays_as_written, .initial_state = c };
    }
    failed = count ? _cmocka_run_group_tests("transcripts", tests, count, NULL, NULL) : 1;
    arena_free(a);
    return failed;
}
