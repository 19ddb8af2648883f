/* accounting.c: the files of accounting, and which event goes into which. Loop thread. */
#include "accounting.h"

#include <stdlib.h>

#include "accounting_line.h"

struct sink {
    void *file;
    char *name;
    int64_t rotate_size, rotate_every_ms, keep;
    unsigned events;
    uint32_t fields;
    bool is_new;
};

struct accounting {
    struct accounting_files files;
    struct sink *sinks;
    int count;
    unsigned wanted; /* all events that some file wants */
    struct buf line;
};

static uint32_t fields_of(const struct conf_accounting *c)
{
    uint32_t fields = 0;

    for (int i = 0; i < c->field_count; i++)
        fields |= accounting_field(slice_of(c->fields[i]));
    return c->field_count ? fields : ACCOUNTING_ALL_FIELDS;
}

/* A sink that is open already under this name and rotates in the same way. */
static struct sink *find_open(struct accounting *a, const struct conf_accounting *c)
{
    for (int i = 0; i < a->count; i++) {
        const struct sink *s = &a->sinks[i];

        if (strcmp(s->name, c->file) == 0 && s->rotate_size == c->rotate_size && s->rotate_every_ms == c->rotate_every_ms &&
            s->keep == c->keep)
            return &a->sinks[i];
    }
    return NULL;
}

static int open_sink(struct accounting *a, const struct conf_accounting *c, struct sink *ret, struct fl_err *err)
{
    struct sink *open = find_open(a, c);
    struct sink s = { .rotate_size = c->rotate_size,
                      .rotate_every_ms = c->rotate_every_ms,
                      .keep = c->keep,
                      .events = c->events,
                      .fields = fields_of(c),
                      .is_new = !open };
    int rc = 0;

    s.name = slice_dup(slice_of(c->file));
    if (!s.name)
        return fl_fail(err, FL_ENOMEM, "accounting %s: out of memory", c->file);
    if (open)
        s.file = open->file;
    else
        rc = a->files.open(a->files.arg, c, &s.file, err);
    if (rc < 0) {
        free(s.name);
        return rc;
    }
    *ret = s;
    return 0;
}

static bool is_kept(const struct accounting *a, const void *file)
{
    for (int i = 0; i < a->count; i++)
        if (a->sinks[i].file == file)
            return true;
    return false;
}

/* Frees a list of sinks; those files are closed that were opened for it (only_new), or that the present list does not have. */
static void drop_sinks(struct accounting *a, struct sink *sinks, int count, bool only_new)
{
    for (int i = 0; i < count; i++) {
        if (only_new ? sinks[i].is_new : !is_kept(a, sinks[i].file))
            a->files.close(sinks[i].file);
        free(sinks[i].name);
    }
    free(sinks);
}

int accounting_set_conf(struct accounting *a, const struct conf *conf, struct fl_err *err)
{
    struct sink *sinks = calloc((size_t)conf->accounting_count + 1, sizeof *sinks), *before = a->sinks;
    int before_count = a->count;

    if (!sinks)
        return fl_fail(err, FL_ENOMEM, "accounting: out of memory");
    for (int i = 0; i < conf->accounting_count; i++) {
        int rc = open_sink(a, &conf->accounting[i], &sinks[i], err);

        if (rc < 0) {
            drop_sinks(a, sinks, i, true);
            return rc;
        }
    }
    a->sinks = sinks;
    a->count = conf->accounting_count;
    a->wanted = 0;
    for (int i = 0; i < a->count; i++)
        a->wanted |= sinks[i].events;
    drop_sinks(a, before, before_count, false);
    return 0;
}

int accounting_new(const struct accounting_files *files, const struct conf *conf, struct accounting **ret, struct fl_err *err)
{
    struct accounting *a = calloc(1, sizeof *a);
    int rc;

    if (!a)
        return fl_fail(err, FL_ENOMEM, "accounting: out of memory");
    a->files = *files;
    buf_init(&a->line, 0);
    rc = accounting_set_conf(a, conf, err);
    if (rc < 0) {
        accounting_free(a);
        return rc;
    }
    *ret = a;
    return 0;
}

void accounting_event(struct accounting *a, const struct event *e)
{
    unsigned bit = 1u << e->kind;
    uint32_t built = 0; /* the fields of the line that a->line holds */

    if (!(a->wanted & bit))
        return;
    buf_clear(&a->line);
    for (int i = 0; i < a->count; i++) {
        if (!(a->sinks[i].events & bit))
            continue;
        if (built != a->sinks[i].fields) {
            buf_clear(&a->line);
            if (accounting_line(e, a->sinks[i].fields, &a->line) < 0)
                return; /* out of memory: this line is lost, as after a crash; the daemon is told by what fails next */
            built = a->sinks[i].fields;
        }
        a->files.write(a->sinks[i].file, buf_slice(&a->line));
    }
}

void accounting_begin_anew(struct accounting *a)
{
    for (int i = 0; i < a->count; i++)
        a->files.begin_anew(a->sinks[i].file);
}

void accounting_free(struct accounting *a)
{
    struct sink *sinks;
    int count;

    if (!a)
        return;
    sinks = a->sinks;
    count = a->count;
    a->sinks = NULL;
    a->count = 0;
    drop_sinks(a, sinks, count, false);
    buf_free(&a->line);
    free(a);
}
