/* Fuzzes vmta/mail/header.c and header_from.c: fields cover the block without a gap, and a rewrite that removes nothing changes
 * nothing. */
#include <assert.h>
#include <stdlib.h>

#include "header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const struct header_scan *s)
{
    struct slice rest = s->block;
    struct header_field f;
    size_t sum = 0;
    unsigned n = 0;
    char value[100];

    for (; header_next(&rest, &f); n++) {
        sum += f.raw.n;
        assert(header_unfold(f.value, value, sizeof value) < sizeof value);
    }
    assert(sum == s->block.n && n == s->fields);
}

static void check_rewrite(struct slice content, const struct header_scan *s)
{
    static const struct slice names[] = { SLICE("From"), SLICE("X") };
    struct header_scan again;
    struct buf out;

    buf_init(&out, 0);
    if (header_rewrite(s, SLICE_NONE, NULL, 0, &out) < 0)
        abort();
    if (s->fields && !s->is_broken)
        assert(slice_eq(buf_slice(&out), slice_head(content, s->body_at)));
    buf_clear(&out);
    if (header_rewrite(s, SLICE("R: r\r\n"), names, 2, &out) < 0)
        abort();
    if (header_scan(buf_slice(&out), true, &again) == HEADER_OK)
        assert(!again.is_broken && again.from == 0 && again.fields <= s->fields + 1);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = slice_make(data, size);
    struct header_scan s;
    struct address *from;
    struct arena *arena;
    size_t n = 0;

    if (header_scan(content, true, &s) != HEADER_OK)
        return 0;
    check_fields(&s);
    check_rewrite(content, &s);
    arena = arena_new(4096);
    if (arena && header_from(s.block, arena, &from, &n) == HEADER_FROM_OK)
        assert(n > 0 && n <= HEADER_FROM_MAX && s.from == 1);
    arena_free(arena);
    return 0;
}
