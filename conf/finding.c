/* finding.c: see finding.h. */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Text and file name in one allocation, the text first: what frees the text frees both. */
static char *both_texts(const char *text, const char *file, const char **ret_file)
{
    size_t n = strlen(text) + 1, m = strlen(file) + 1;
    char *p = malloc(n + m);

    if (!p)
        return NULL;
    memcpy(p, text, n);
    memcpy(p + n, file, m);
    *ret_file = p + n;
    return p;
}

static int add(struct conf_findings *f, const struct conf_place *at, bool is_warning, const char *text)
{
    struct conf_finding item = { .is_warning = is_warning };

    if ((f->count & (f->count - 1)) == 0) { /* full: its room is the next power of two */
        struct conf_finding *items = realloc(f->items, sizeof *items * (f->count ? (size_t)f->count * 2 : 1));

        if (!items)
            return FL_ENOMEM;
        f->items = items;
    }
    item.at = *at;
    item.text = both_texts(text, at->file ? at->file : "", &item.at.file);
    if (!item.text)
        return FL_ENOMEM;
    f->items[f->count++] = item;
    if (!is_warning)
        f->errors++;
    return 0;
}

static void report(struct conf_findings *f, const struct conf_place *at, bool is_warning, const char *format, va_list ap)
{
    static const struct conf_place nowhere = { .file = "", .line = 1, .column = 1 };
    int same = is_warning ? f->count - f->errors : f->errors;
    char text[1024];

    if (same > FINDINGS_MAX)
        return;
    if (same == FINDINGS_MAX)
        snprintf(text, sizeof text, "more than %d %s; the others are not shown", FINDINGS_MAX,
                 is_warning ? "warnings" : "errors");
    else
        vsnprintf(text, sizeof text, format, ap);
    for (char *c = text; *c; c++) /* what was found is quoted in it: it stays one line whatever that was */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    if (add(f, at ? at : &nowhere, is_warning, text) < 0)
        f->lost = true;
}

void finding_error(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    report(f, at, false, format, ap);
    va_end(ap);
}

void finding_warning(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    report(f, at, true, format, ap);
    va_end(ap);
}

static int by_place(const void *a, const void *b, void *main_file)
{
    const struct conf_finding *x = a, *y = b;
    int first = (strcmp(y->at.file, main_file) == 0) - (strcmp(x->at.file, main_file) == 0);

    if (first == 0)
        first = strcmp(x->at.file, y->at.file);
    if (first == 0)
        first = (x->at.line > y->at.line) - (x->at.line < y->at.line);
    if (first == 0)
        first = (x->at.column > y->at.column) - (x->at.column < y->at.column);
    if (first == 0)
        first = x->is_warning - y->is_warning;
    return first ? first : strcmp(x->text, y->text);
}

void findings_sort(struct conf_findings *f, const char *main_file)
{
    int kept = 0;

    if (f->count < 2)
        return;
    qsort_r(f->items, (size_t)f->count, sizeof *f->items, by_place, (void *)main_file);
    for (int i = 0; i < f->count; i++) {
        if (kept && by_place(&f->items[kept - 1], &f->items[i], (void *)main_file) == 0) {
            f->errors -= !f->items[i].is_warning;
            free((void *)f->items[i].text);
            continue;
        }
        f->items[kept++] = f->items[i];
    }
    f->count = kept;
}

void conf_findings_free(struct conf_findings *f)
{
    for (int i = 0; i < f->count; i++)
        free((void *)f->items[i].text);
    free(f->items);
    *f = (struct conf_findings){ 0 };
}

int conf_finding_text(const struct conf_finding *f, struct buf *out)
{
    return buf_printf(out, "%s:%d:%d: %s: %s\n", f->at.file, f->at.line, f->at.column, f->is_warning ? "warning" : "error",
                      f->text);
}
