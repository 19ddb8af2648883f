/* Tests vmta/mail/wire.c. Each stream is read whole, cut at every byte, and byte by byte; the result is always the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "rand.h"
#include "wire.h"

struct result {
    struct buf content;
    struct wire_facts facts;
    bool ended;
    size_t left; /* bytes behind the final dot */
};

/* Feeds one piece; what the scanner leaves over is counted. */
static void feed_scan(struct wire_scan *s, struct slice in, struct result *r)
{
    struct slice piece;

    while (wire_scan_next(s, &in, &piece)) {
        assert_true(piece.n > 0);
        assert_int_equal(buf_add(&r->content, piece), 0);
    }
    r->left += in.n;
    if (!s->ended)
        assert_int_equal(in.n, 0);
}

/* Scans a stream that is cut into [0, a), [a, b), [b, end); with step 1 byte by byte instead. */
static struct result scan(struct slice stream, size_t a, size_t b, bool bytewise)
{
    struct result r = { 0 };
    struct wire_scan s;

    wire_scan_init(&s);
    buf_init(&r.content, 0);
    if (bytewise) {
        for (size_t i = 0; i < stream.n; i++)
            feed_scan(&s, slice_make(stream.p + i, 1), &r);
    } else {
        feed_scan(&s, slice_head(stream, a), &r);
        feed_scan(&s, slice_make(stream.p + a, b - a), &r);
        feed_scan(&s, slice_skip(stream, b), &r);
    }
    r.facts = s.facts;
    r.ended = s.ended;
    return r;
}

static void assert_same(struct result *r, struct result *other)
{
    assert_true(slice_eq(buf_slice(&r->content), buf_slice(&other->content)));
    assert_memory_equal(&r->facts, &other->facts, sizeof r->facts);
    assert_int_equal(r->ended, other->ended);
    assert_int_equal(r->left, other->left);
    buf_free(&other->content);
}

/* All cuts of one stream give the same result, which is returned. */
static struct result scan_all_ways(struct slice stream)
{
    struct result whole = scan(stream, 0, 0, false), other = scan(stream, 0, 0, true);

    assert_same(&whole, &other);
    for (size_t a = 0; a <= stream.n; a++) {
        for (size_t b = a; b <= stream.n; b++) {
            other = scan(stream, a, b, false);
            assert_same(&whole, &other);
        }
    }
    return whole;
}

static void ends_with(struct slice stream, struct slice content, size_t left)
{
    struct result r = scan_all_ways(stream);

    assert_true(r.ended);
    assert_true(slice_eq(buf_slice(&r.content), content));
    assert_int_equal(r.left, left);
    assert_false(r.facts.bare_cr || r.facts.bare_lf);
    buf_free(&r.content);
}

static void a_lone_dot_on_a_line_ends_the_content(void **state)
{
    ends_with(SLICE("a\r\n.\r\n"), SLICE("a\r\n"), 0);
    ends_with(SLICE(".\r\n"), SLICE(""), 0);
    ends_with(SLICE(".\r\nQUIT\r\n"), SLICE(""), 6);
    ends_with(SLICE("\r\n.\r\n.\r\n"), SLICE("\r\n"), 3);
    ends_with(SLICE("a\r\n..\r\n...\r\n.x\r\n..b\r\nc.\r\n.\r\nMAIL"), SLICE("a\r\n..\r\n...\r\n.x\r\n..b\r\nc.\r\n"), 4);
}

static void nothing_else_ends_it(void **state)
{
    static const struct {
        struct slice stream;
        bool bare_cr, bare_lf;
    } cases[] = {
        { SLICE("a\n.\nb"), false, true },       { SLICE("a\n.\r\nb"), false, true },
        { SLICE("a\r\n.\nb"), false, true },     { SLICE("a\r.\r\nb\r\n"), true, false },
        { SLICE("a\r.\rb"), true, false },       { SLICE("a\r\n.\rb"), true, false },
        { SLICE("a\n\n.\r\nb"), false, true },   { SLICE("a\r\n\0.\r\nb"), false, false },
        { SLICE("a\r\n .\r\nb"), false, false }, { SLICE("a\r\n..\r\nb"), false, false },
        { SLICE("a\r\r\n.x"), true, false },     { SLICE("a\r\n.\r\r\nb"), true, false },
        { SLICE("\n.\r\nb"), false, true },      { SLICE("a\r\n.\r.\r\nb"), true, false },
        { SLICE(".\n"), false, true },           { SLICE(".\rQ"), true, false },
        { SLICE("\r\r\r\n"), true, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r = scan_all_ways(cases[i].stream);

        assert_false(r.ended);
        assert_true(slice_eq(buf_slice(&r.content), cases[i].stream));
        assert_int_equal(r.facts.bare_cr, cases[i].bare_cr);
        assert_int_equal(r.facts.bare_lf, cases[i].bare_lf);
        buf_free(&r.content);
    }
}

static void what_may_be_the_end_is_kept_back(void **state)
{
    static const struct slice opens[] = { SLICE("a\r\n."), SLICE("a\r\n.\r") };

    for (size_t i = 0; i < 2; i++) {
        struct result r = scan(opens[i], 0, 0, true);

        assert_true(slice_eq(buf_slice(&r.content), SLICE("a\r\n")));
        assert_false(r.ended);
        buf_free(&r.content);
    }
}

static void facts_count_the_content_as_meant(void **state)
{
    struct result r = scan_all_ways(SLICE("..ab\r\n\r\n.c\r\nlonger\r\n.\r\n"));

    assert_int_equal(r.facts.bytes, 5 + 2 + 3 + 8);
    assert_int_equal(r.facts.lines, 4);
    assert_int_equal(r.facts.longest_line, 6);
    assert_false(r.facts.nul || r.facts.eight_bit);
    buf_free(&r.content);
    r = scan_all_ways(SLICE("0123456789\0\r\n.\r\n"));
    assert_true(r.facts.nul && !r.facts.eight_bit);
    buf_free(&r.content);
    r = scan_all_ways(SLICE("0123456789gr\xc3\xbc\r\n.\r\n\0"));
    assert_true(!r.facts.nul && r.facts.eight_bit);
    buf_free(&r.content);
    r = scan_all_ways(SLICE("\x80\x01\x7f\x01\x01\x01\x01\xff\r\n.\r\n"));
    assert_true(!r.facts.nul && r.facts.eight_bit);
    buf_free(&r.content);
}

static void a_line_is_measured_without_its_doubled_dot(void **state)
{
    char stream[1100] = "..";
    struct result r;

    memset(stream + 2, 'x', 997);
    memcpy(stream + 999, "\r\n.\r\n", 5);
    r = scan(slice_make(stream, 1004), 500, 700, false);
    assert_true(r.ended);
    assert_int_equal(r.facts.longest_line, WIRE_LINE_MAX);
    buf_free(&r.content);
}

/* Stuffs a raw content cut at a and b. */
static struct buf stuff(struct slice raw, size_t a, size_t b, struct wire_facts *ret)
{
    struct wire_stuff s;
    struct buf out;

    wire_stuff_init(&s);
    buf_init(&out, 0);
    assert_int_equal(wire_stuff_add(&s, slice_head(raw, a), &out), 0);
    assert_int_equal(wire_stuff_add(&s, slice_make(raw.p + a, b - a), &out), 0);
    assert_int_equal(wire_stuff_add(&s, slice_skip(raw, b), &out), 0);
    assert_int_equal(buf_add(&out, wire_stuff_end(&s)), 0);
    *ret = s.facts;
    return out;
}

static void chunks_become_wire_form_at_any_cut(void **state)
{
    static const struct {
        struct slice raw, wire;
        bool bare_cr, bare_lf;
    } cases[] = {
        { SLICE(""), SLICE(""), false, false },
        { SLICE("a\r\n"), SLICE("a\r\n"), false, false },
        { SLICE("a"), SLICE("a\r\n"), false, false },
        { SLICE(".\r\n..\r\n.a\r\n\r\n.b"), SLICE("..\r\n...\r\n..a\r\n\r\n..b\r\n"), false, false },
        { SLICE("a\n.\nb\r\n"), SLICE("a\n.\nb\r\n"), false, true },
        { SLICE("a\r.\r\nb\r\n"), SLICE("a\r.\r\nb\r\n"), true, false },
        { SLICE("a\r\n.\nb\r\n"), SLICE("a\r\n..\nb\r\n"), false, true },
        { SLICE("a\r"), SLICE("a\r\r\n"), true, false },
        { SLICE("."), SLICE("..\r\n"), false, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice raw = cases[i].raw;

        for (size_t a = 0; a <= raw.n; a++) {
            for (size_t b = a; b <= raw.n; b++) {
                struct wire_facts facts;
                struct buf out = stuff(raw, a, b, &facts);

                assert_true(slice_eq(buf_slice(&out), cases[i].wire));
                assert_int_equal(facts.bare_cr, cases[i].bare_cr);
                assert_int_equal(facts.bare_lf, cases[i].bare_lf);
                assert_int_equal(facts.bytes, wire_raw_size(cases[i].wire));
                buf_free(&out);
            }
        }
    }
}

/* What a reader of single bytes finds in a raw content. */
static struct wire_facts plainly(struct slice raw)
{
    struct wire_facts f = { .bytes = raw.n };

    for (size_t i = 0; i < raw.n; i++) {
        bool crlf_begins = raw.p[i] == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n';

        f.bare_cr |= raw.p[i] == '\r' && !crlf_begins;
        f.bare_lf |= raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r');
        f.lines += crlf_begins;
        f.nul |= raw.p[i] == 0;
        f.eight_bit |= (unsigned char)raw.p[i] >= 0x80;
    }
    return f;
}

static void facts_of_random_bytes_are_those_of_a_plain_reader_at_any_cut(void **state)
{
    enum { RAW_MAX = 9000 };
    static const char bytes[] = { '\r', '\n', '.', 'x', 'x', '\0', (char)0xe9 };
    static char raw[RAW_MAX];
    struct rand r;

    rand_seed(&r, 7);
    for (int round = 0; round < 4000; round++) {
        size_t n = rand_below(&r, round % 100 ? 70 : RAW_MAX), kinds = 1 + rand_below(&r, sizeof bytes), a, b;
        struct wire_facts want, got;
        struct buf out;

        for (size_t i = 0; i < n; i++)
            raw[i] = rand_below(&r, 8) ? 'x' : bytes[rand_below(&r, kinds)];
        if (n > 1 && rand_below(&r, 2))
            memcpy(raw + n - 2, "\r\n", 2);
        want = plainly(slice_make(raw, n));
        a = rand_below(&r, n + 1);
        b = a + rand_below(&r, n - a + 1);
        out = stuff(slice_make(raw, n), a, b, &got);
        assert_int_equal(got.bare_cr, want.bare_cr);
        assert_int_equal(got.bare_lf, want.bare_lf);
        assert_int_equal(got.nul, want.nul);
        assert_int_equal(got.eight_bit, want.eight_bit);
        assert_in_range(got.lines, want.lines, want.lines + 1); /* one was added where the end was missing */
        buf_free(&out);
    }
}

static void wire_form_becomes_raw_again_at_any_cut(void **state)
{
    static const struct slice wires[] = { SLICE(""), SLICE("a\r\n"), SLICE("..\r\n...\r\n..a\r\n\r\n..b\r\n"),
                                          SLICE("a\r\n..\nb\r\r\n..c\r\n") };
    static const struct slice raws[] = { SLICE(""), SLICE("a\r\n"), SLICE(".\r\n..\r\n.a\r\n\r\n.b\r\n"),
                                         SLICE("a\r\n.\nb\r\r\n.c\r\n") };

    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        struct slice wire = wires[i];

        for (size_t a = 0; a <= wire.n; a++) {
            for (size_t b = a; b <= wire.n; b++) {
                const struct slice parts[] = { slice_head(wire, a), slice_make(wire.p + a, b - a), slice_skip(wire, b) };
                struct wire_unstuff s;
                struct slice piece;
                struct buf out;

                wire_unstuff_init(&s);
                buf_init(&out, 0);
                for (int k = 0; k < 3; k++) {
                    struct slice in = parts[k];

                    while (wire_unstuff_next(&s, &in, &piece))
                        assert_int_equal(buf_add(&out, piece), 0);
                }
                assert_true(slice_eq(buf_slice(&out), raws[i]));
                buf_free(&out);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_dot_on_a_line_ends_the_content),      cmocka_unit_test(nothing_else_ends_it),
        cmocka_unit_test(what_may_be_the_end_is_kept_back),           cmocka_unit_test(facts_count_the_content_as_meant),
        cmocka_unit_test(a_line_is_measured_without_its_doubled_dot), cmocka_unit_test(chunks_become_wire_form_at_any_cut),
        cmocka_unit_test(facts_of_random_bytes_are_those_of_a_plain_reader_at_any_cut),
        cmocka_unit_test(wire_form_becomes_raw_again_at_any_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
