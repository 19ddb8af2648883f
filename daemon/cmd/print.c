/* print.c: see print.h. Main thread. */
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "cmd.h"
#include "printable.h"

static bool has_colours(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

/* How many characters a text takes on a terminal, combining ones and wide ones aside. */
static int width_of(struct slice s)
{
    int n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

/* ---------------------------------------------------------------- one value */
static void bytes_text(int64_t bytes, struct buf *out)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1024 && u + 1 < sizeof units / sizeof *units) {
        v /= 1024;
        u++;
    }
    buf_printf(out, u && v < 10 ? "%.1f%s" : "%.0f%s", v, units[u]);
}

static void age_text(int64_t seconds, struct buf *out)
{
    char text[CLOCK_SPAN];

    clock_span(seconds * SECOND_MS, text);
    buf_add_text(out, text);
}

/* "2026-11-24T22:37:27.123Z" as "2026-11-24 22:37:27Z". */
static void time_text(const char *text, struct buf *out)
{
    struct slice s = slice_of(text);

    if (s.n >= 20 && s.p[10] == 'T')
        buf_printf(out, "%.10s %.8sZ", s.p, s.p + 11);
    else
        printable_add(s, out);
}

static void reply_text(const json_t *reply, struct buf *out)
{
    const json_t *code = json_object_get(reply, "code");
    const char *const keys[] = { "enhanced", "text" };
    const char *stage = json_string_value(json_object_get(reply, "stage")),
               *mx = json_string_value(json_object_get(reply, "mx"));

    printable_add(slice_of(stage), out);
    buf_add_text(out, ":");
    if (json_is_integer(code))
        buf_printf(out, " %lld", (long long)json_integer_value(code));
    for (int i = 0; i < 2; i++) {
        const char *text = json_string_value(json_object_get(reply, keys[i]));

        if (text) {
            buf_add_text(out, " ");
            printable_add(slice_of(text), out);
        }
    }
    if (mx) {
        buf_add_text(out, " (");
        printable_add(slice_of(mx), out);
        buf_add_text(out, ")");
    }
}

static void list_text(const json_t *list, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i)
            buf_add_text(out, " ");
        printable_add(slice_of(json_string_value(json_array_get(list, i))), out);
    }
}

static void value_text(const json_t *v, enum print_kind kind, struct buf *out)
{
    if (!v || json_is_null(v))
        buf_add_text(out, "-");
    else if (json_is_object(v) && kind == PRINT_REPLY)
        reply_text(v, out);
    else if (json_is_array(v))
        list_text(v, out);
    else if (json_is_boolean(v))
        buf_add_text(out, json_is_true(v) ? "yes" : "no");
    else if (json_is_integer(v) && kind == PRINT_BYTES)
        bytes_text(json_integer_value(v), out);
    else if (json_is_integer(v) && kind == PRINT_AGE)
        age_text(json_integer_value(v), out);
    else if (json_is_integer(v))
        buf_printf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_string(v) && kind == PRINT_TIME)
        time_text(json_string_value(v), out);
    else if (json_is_string(v))
        printable_add(slice_make(json_string_value(v), json_string_length(v)), out);
}

/* ---------------------------------------------------------------- tables */
static bool stands_right(enum print_kind kind)
{
    return kind == PRINT_NUMBER || kind == PRINT_BYTES || kind == PRINT_AGE;
}

static const char *colour_of(struct slice state)
{
    if (slice_eq(state, SLICE("held")) || slice_eq(state, SLICE("suspended")))
        return "\033[33m";
    if (slice_eq(state, SLICE("waiting")))
        return "\033[36m";
    return "\033[32m";
}

static void cell(const struct print_column *c, struct slice text, int width, bool colours)
{
    int pad = width - width_of(text);
    bool coloured = colours && c->kind == PRINT_STATE;

    if (stands_right(c->kind))
        printf("%*s", pad > 0 ? pad : 0, "");
    if (coloured)
        fputs(colour_of(text), stdout);
    fwrite(text.p, 1, text.n, stdout);
    if (coloured)
        fputs("\033[0m", stdout);
    if (!stands_right(c->kind) && c[1].key) /* no blanks at the end of a line */
        printf("%*s", pad > 0 ? pad : 0, "");
    fputs(c[1].key ? "  " : "\n", stdout);
}

static void measure(struct print_table *t, const json_t *rows)
{
    struct buf text;

    buf_init(&text, 0);
    for (int i = 0; t->columns[i].key && i < PRINT_COLUMNS_MAX; i++) {
        int title = width_of(slice_of(t->columns[i].title));

        if (t->width[i] < title)
            t->width[i] = title;
        for (size_t r = 0; r < json_array_size(rows); r++) {
            int width;

            buf_clear(&text);
            value_text(json_object_get(json_array_get(rows, r), t->columns[i].key), t->columns[i].kind, &text);
            width = width_of(buf_slice(&text));
            if (t->width[i] < width)
                t->width[i] = width < PRINT_CELL_MAX ? width : PRINT_CELL_MAX;
        }
    }
    buf_free(&text);
}

void print_rows(struct print_table *t, const json_t *rows)
{
    bool colours = has_colours();
    struct buf text;

    if (!json_array_size(rows))
        return;
    measure(t, rows);
    for (int i = 0; !t->has_title && t->columns[i].key; i++)
        cell(&t->columns[i], slice_of(t->columns[i].title), t->width[i], false);
    t->has_title = true;
    buf_init(&text, 0);
    for (size_t r = 0; r < json_array_size(rows); r++) {
        for (int i = 0; t->columns[i].key; i++) {
            buf_clear(&text);
            value_text(json_object_get(json_array_get(rows, r), t->columns[i].key), t->columns[i].kind, &text);
            cell(&t->columns[i], buf_slice(&text), t->width[i], colours);
        }
    }
    buf_free(&text);
}

void print_object(const struct print_column *columns, const json_t *object)
{
    struct buf text;
    int width = 0;

    buf_init(&text, 0);
    for (int i = 0; columns[i].key; i++)
        if (width < width_of(slice_of(columns[i].title)))
            width = width_of(slice_of(columns[i].title));
    for (int i = 0; columns[i].key; i++) {
        buf_clear(&text);
        value_text(json_object_get(object, columns[i].key), columns[i].kind, &text);
        printf("%s:%*s ", columns[i].title, width - width_of(slice_of(columns[i].title)), "");
        fwrite(buf_slice(&text).p, 1, buf_len(&text), stdout);
        fputc('\n', stdout);
    }
    buf_free(&text);
}

void print_line(const char *indent, const char *text)
{
    struct buf clean;

    buf_init(&clean, 0);
    if (printable_add(slice_of(text), &clean) == 0)
        printf("%s%.*s\n", indent, SLICE_ARG(buf_slice(&clean)));
    buf_free(&clean);
}

void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_COMPACT);
    fputc('\n', stdout);
}

int print_end(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CMD_DONE;
    fputs("fairlead: standard output takes no more\n", stderr);
    return CMD_WRONG;
}
