/* pattern.c: see pattern.h. */
#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* What one match may cost. The match limit counts backtracking at each starting point, so it shrinks as the subject grows; the
 * product bounds the whole to a few milliseconds. Runs of one character are not counted by the JIT: the length of the subject
 * bounds those. Depth and heap bound memory where the JIT is not available. */
enum {
    TEXT_MAX = 4096,         /* octets of a pattern */
    COMPILED_MAX = 1 << 20,  /* octets once compiled */
    STEPS = 4 * 1000 * 1000, /* for all starting points together */
    STEPS_PER_START_MIN = 200,
    STEPS_PER_START_MAX = 100 * 1000,
    DEPTH_MAX = 1000,
    HEAP_KIB_MAX = 1024,
    NEST_MAX = 50, /* parentheses within parentheses */
};

struct pattern {
    pcre2_code *code;
    char *text;
    size_t text_n;
};

/* Splits "/…/i". The text inside may hold slashes; the last one ends it. */
static int split(struct slice slashed, struct slice *ret_inner, uint32_t *ret_options, struct fl_err *err)
{
    const char *last;
    struct slice flags;

    if (slashed.n < 2 || slashed.p[0] != '/')
        return fl_fail(err, FL_EINVAL, "a pattern stands between slashes: /…/ or /…/i");
    last = memrchr(slashed.p + 1, '/', slashed.n - 1);
    if (!last)
        return fl_fail(err, FL_EINVAL, "pattern without its closing slash");
    flags = slice_skip(slashed, (size_t)(last - slashed.p) + 1);
    if (flags.n && !slice_eq(flags, SLICE("i")))
        return fl_fail(err, FL_EINVAL, "unknown option \"%.*s\" after the pattern: only i", SLICE_ARG(flags));
    *ret_inner = slice_make(slashed.p + 1, (size_t)(last - slashed.p) - 1);
    if (ret_inner->n == 0)
        return fl_fail(err, FL_EINVAL, "empty pattern: it would match everything");
    if (ret_inner->n > TEXT_MAX)
        return fl_fail(err, FL_ELIMIT, "pattern of %zu octets: at most %d", ret_inner->n, TEXT_MAX);
    *ret_options = flags.n ? PCRE2_CASELESS : 0;
    return 0;
}

static int compile(struct slice inner, uint32_t options, pcre2_code **ret, struct fl_err *err)
{
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
    pcre2_code *code;
    int number;
    uint32_t backreference = 0;
    size_t at, size = 0;

    if (!ctx)
        return fl_fail(err, FL_ENOMEM, "pattern: out of memory");
    pcre2_set_parens_nest_limit(ctx, NEST_MAX);
    pcre2_set_max_pattern_length(ctx, TEXT_MAX);
    /* \C reads half a character in other modes, and no pattern of ours needs it. */
    code = pcre2_compile((PCRE2_SPTR)inner.p, inner.n, options | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &number, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (!code) {
        PCRE2_UCHAR text[128] = "";

        pcre2_get_error_message(number, text, sizeof text);
        return fl_fail(err, FL_EINVAL, "pattern: %s, at its character %zu", (char *)text, at + 1);
    }
    pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &backreference);
    if (size > COMPILED_MAX || backreference) {
        pcre2_code_free(code);
        if (backreference)
            return fl_fail(err, FL_EINVAL, "pattern: \\%u: references to what was matched cannot be bounded", backreference);
        return fl_fail(err, FL_ELIMIT, "pattern: %zu octets once compiled, at most %d", size, COMPILED_MAX);
    }
    /* Where the machine has no JIT, the interpreter works under the same limits. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    *ret = code;
    return 0;
}

int pattern_compile(struct slice slashed, struct pattern **ret, struct fl_err *err)
{
    struct pattern *p;
    struct slice inner;
    uint32_t options;
    int rc = split(slashed, &inner, &options, err);

    if (rc < 0)
        return rc;
    p = calloc(1, sizeof *p);
    if (!p)
        return fl_fail(err, FL_ENOMEM, "pattern: out of memory");
    p->text = slice_dup(slashed);
    p->text_n = slashed.n;
    rc = p->text ? compile(inner, options, &p->code, err) : fl_fail(err, FL_ENOMEM, "pattern: out of memory");
    if (rc < 0) {
        pattern_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    free(p->text);
    free(p);
}

static uint32_t steps_per_start(size_t subject_n)
{
    size_t steps = STEPS / (subject_n + 1);

    if (steps < STEPS_PER_START_MIN)
        return STEPS_PER_START_MIN;
    return steps > STEPS_PER_START_MAX ? STEPS_PER_START_MAX : (uint32_t)steps;
}

enum pattern_result pattern_match(const struct pattern *p, struct slice subject)
{
    pcre2_match_context *ctx;
    pcre2_match_data *data;
    int rc = PCRE2_ERROR_NOMEMORY;

    if (subject.n > PATTERN_SUBJECT_MAX)
        return PATTERN_TOO_COSTLY;
    ctx = pcre2_match_context_create(NULL);
    data = pcre2_match_data_create(1, NULL); /* whether, not where: one pair of offsets */
    if (ctx && data) {
        pcre2_set_match_limit(ctx, steps_per_start(subject.n));
        pcre2_set_depth_limit(ctx, DEPTH_MAX);
        pcre2_set_heap_limit(ctx, HEAP_KIB_MAX);
        rc = pcre2_match(p->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, data, ctx);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(ctx);
    if (rc == PCRE2_ERROR_NOMATCH)
        return PATTERN_NO;
    return rc >= 0 ? PATTERN_YES : PATTERN_TOO_COSTLY;
}

struct slice pattern_text(const struct pattern *p)
{
    return slice_make(p->text, p->text_n);
}
