/* header_from.c: the addresses of From: (header.h), by the address lists of RFC 5322 3.4 and their obsolete forms (4.4). It
 * reads as a recipient's program would, so that no address hides from the check of the sender's domain. */
#include "header.h"

enum { COMMENT_DEPTH_MAX = 100, ADDRESSES_AT_FIRST = 4 };

struct reader {
    struct slice rest; /* unfolded */
    struct arena *arena;
    struct address *found;
    size_t n, cap;
    char *text; /* of the address under way: room for the whole value, since it only leaves things out */
    size_t text_n;
};

static char peek(const struct reader *r)
{
    return r->rest.n ? r->rest.p[0] : 0;
}

static void skip(struct reader *r)
{
    r->rest = slice_skip(r->rest, 1);
}

static bool at(const struct reader *r, char c)
{
    return r->rest.n && r->rest.p[0] == c;
}

static bool take(struct reader *r, char c)
{
    if (!at(r, c))
        return false;
    skip(r);
    return true;
}

/* A comment, with those inside it. The opening parenthesis is next. */
static bool skip_comment(struct reader *r)
{
    int depth = 0;

    do {
        char c = peek(r);

        if (!r->rest.n)
            return false;
        skip(r);
        if (c == '\\')
            skip(r);
        else if (c == '(' && ++depth > COMMENT_DEPTH_MAX)
            return false;
        else if (c == ')')
            depth--;
    } while (depth > 0);
    return true;
}

/* Blanks and comments. False for a comment without its end. */
static bool skip_cfws(struct reader *r)
{
    for (;;) {
        if (at(r, ' ') || at(r, '\t'))
            skip(r);
        else if (!at(r, '('))
            return true;
        else if (!skip_comment(r))
            return false;
    }
}

static bool is_atext(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static void keep(struct reader *r, struct slice s)
{
    memcpy(r->text + r->text_n, s.p, s.n);
    r->text_n += s.n;
}

/* An atom or a quoted string, kept as it is written. False when there is none, or it is malformed. */
static bool take_word(struct reader *r)
{
    struct slice start = r->rest;

    if (take(r, '"')) {
        while (!at(r, '"')) {
            if (at(r, '\\'))
                skip(r);
            if (!r->rest.n)
                return false;
            skip(r);
        }
        skip(r);
    } else {
        while (is_atext(peek(r)))
            skip(r);
    }
    keep(r, slice_head(start, start.n - r->rest.n));
    return start.n > r->rest.n;
}

/* Words and dots in any order, up to something else: a phrase (a display name, a group's name) or a local part. *ret_dotted:
 * words with single dots between them, as a local part is. */
static bool take_words(struct reader *r, bool *ret_dotted)
{
    bool dotted = true, after_word = false;

    for (;;) {
        if (!skip_cfws(r))
            return false;
        if (at(r, '.')) {
            dotted &= after_word;
            after_word = false;
            keep(r, SLICE("."));
            skip(r);
        } else if (at(r, '"') || is_atext(peek(r))) {
            dotted &= !after_word;
            after_word = true;
            if (!take_word(r))
                return false;
        } else {
            *ret_dotted = dotted && after_word;
            return true;
        }
    }
}

/* What stands behind the @: atoms with dots between them, or a literal. */
static bool take_domain(struct reader *r)
{
    bool dotted;

    if (!skip_cfws(r))
        return false;
    if (at(r, '[')) {
        struct slice literal = slice_head(r->rest, slice_find(r->rest, ']') + 1);

        keep(r, literal);
        r->rest = slice_skip(r->rest, literal.n);
        return skip_cfws(r);
    }
    return take_words(r, &dotted) && dotted;
}

static enum header_from_status add(struct reader *r)
{
    struct slice text;

    if (r->n == HEADER_FROM_MAX)
        return HEADER_FROM_TOO_MANY;
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : ADDRESSES_AT_FIRST;
        struct address *more = arena_alloc(r->arena, cap * sizeof *more);

        if (!more)
            return HEADER_FROM_NOMEM;
        if (r->n)
            memcpy(more, r->found, r->n * sizeof *more);
        r->found = more;
        r->cap = cap;
    }
    text = arena_copy(r->arena, slice_make(r->text, r->text_n));
    if (!text.p)
        return HEADER_FROM_NOMEM;
    if (address_parse(text, true, &r->found[r->n]) != ADDRESS_OK)
        return HEADER_FROM_MALFORMED;
    r->n++;
    return HEADER_FROM_OK;
}

/* addr-spec behind the local part that was taken already. */
static enum header_from_status take_spec(struct reader *r)
{
    if (!take(r, '@'))
        return HEADER_FROM_MALFORMED;
    keep(r, SLICE("@"));
    return take_domain(r) ? add(r) : HEADER_FROM_MALFORMED;
}

/* "<…>", perhaps with an obsolete route before the address. The bracket was taken. */
static enum header_from_status take_angle(struct reader *r)
{
    enum header_from_status status;
    bool dotted;

    if (!skip_cfws(r))
        return HEADER_FROM_MALFORMED;
    if (at(r, '@') || at(r, ',')) {
        size_t colon = slice_find(r->rest, ':');

        if (memchr(r->rest.p, '>', colon))
            return HEADER_FROM_MALFORMED;
        r->rest = slice_skip(r->rest, colon + 1);
    }
    r->text_n = 0;
    if (!take_words(r, &dotted) || !dotted)
        return HEADER_FROM_MALFORMED;
    status = take_spec(r);
    if (status != HEADER_FROM_OK)
        return status;
    return take(r, '>') && skip_cfws(r) ? HEADER_FROM_OK : HEADER_FROM_MALFORMED;
}

/* One mailbox, or the opening of a group. */
static enum header_from_status take_address(struct reader *r, bool *in_group)
{
    bool dotted;

    r->text_n = 0;
    if (!take_words(r, &dotted))
        return HEADER_FROM_MALFORMED;
    if (take(r, '<'))
        return take_angle(r);
    if (r->text_n && !*in_group && take(r, ':')) {
        *in_group = true;
        return HEADER_FROM_OK;
    }
    return dotted ? take_spec(r) : HEADER_FROM_MALFORMED;
}

static enum header_from_status take_list(struct reader *r)
{
    bool in_group = false, need_comma = false;

    for (;;) {
        size_t before = r->n;
        enum header_from_status status;

        if (!skip_cfws(r))
            return HEADER_FROM_MALFORMED;
        if (!r->rest.n)
            return !in_group && r->n ? HEADER_FROM_OK : HEADER_FROM_MALFORMED;
        if (take(r, ',')) {
            need_comma = false;
        } else if (in_group && take(r, ';')) {
            in_group = false;
            need_comma = true;
        } else {
            if (need_comma)
                return HEADER_FROM_MALFORMED;
            status = take_address(r, &in_group);
            if (status != HEADER_FROM_OK)
                return status;
            need_comma = r->n > before;
        }
    }
}

/* The only From: field of the block. */
static enum header_from_status find_from(struct slice block, struct slice *ret)
{
    struct header_field f;
    unsigned n = 0;

    while (header_next(&block, &f)) {
        if (!slice_eq_nocase(f.name, SLICE("From")))
            continue;
        *ret = f.value;
        n++;
    }
    return n == 0 ? HEADER_FROM_NONE : n == 1 ? HEADER_FROM_OK : HEADER_FROM_SEVERAL;
}

enum header_from_status header_from(struct slice block, struct arena *arena, struct address **ret, size_t *ret_n)
{
    struct reader r = { .arena = arena };
    struct slice value;
    enum header_from_status status = find_from(block, &value);
    char *line;

    if (status != HEADER_FROM_OK)
        return status;
    line = arena_alloc(arena, value.n + 1);
    r.text = arena_alloc(arena, value.n + 1);
    if (!line || !r.text)
        return HEADER_FROM_NOMEM;
    r.rest = slice_make(line, header_unfold(value, line, value.n + 1));
    status = take_list(&r);
    if (status != HEADER_FROM_OK)
        return status;
    *ret = r.found;
    *ret_n = r.n;
    return HEADER_FROM_OK;
}
