/* conf_desk.c: see conf_desk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void conf_desk_open(struct conf_desk *d)
{
    *d = (struct conf_desk){ 0 };
    snprintf(d->folder, sizeof d->folder, "/tmp/conf_desk.XXXXXX");
    assert_non_null(mkdtemp(d->folder));
}

static void forget(struct conf_desk *d)
{
    conf_unref(d->conf);
    conf_findings_free(&d->findings);
    d->conf = NULL;
}

void conf_desk_close(struct conf_desk *d)
{
    char command[128];

    forget(d);
    snprintf(command, sizeof command, "rm -r %s", d->folder);
    assert_int_equal(system(command), 0);
}

void conf_desk_write(struct conf_desk *d, const char *name, const char *text)
{
    char path[256];
    const char *slash = strchr(name, '/');
    FILE *f;

    if (slash) {
        snprintf(path, sizeof path, "%s/%.*s", d->folder, (int)(slash - name), name);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/%s", d->folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    for (; *text; text++)
        if (*text == '~' && text[1] == '/')
            fputs(d->folder, f);
        else
            fputc(*text, f);
    fclose(f);
    chmod(path, 0600);
}

int conf_desk_load(struct conf_desk *d)
{
    char path[256];

    forget(d);
    snprintf(path, sizeof path, "%s/main.yaml", d->folder);
    return conf_load(path, &d->conf, &d->findings);
}

int conf_desk_try(struct conf_desk *d, const char *text)
{
    conf_desk_write(d, "main.yaml", text);
    return conf_desk_load(d);
}

static bool says_all(const char *text, const char *words)
{
    struct slice rest = slice_of(words);

    while (rest.n)
        if (slice_find_slice(slice_of(text), slice_cut(&rest, '|')) == strlen(text))
            return false;
    return true;
}

bool conf_desk_found(const struct conf_desk *d, bool is_warning, const char *file, int line, const char *words)
{
    for (int i = 0; i < d->findings.count; i++) {
        const struct conf_finding *f = &d->findings.items[i];

        if (f->is_warning == is_warning && f->at.line == line && slice_ends_nocase(slice_of(f->at.file), slice_of(file)) &&
            says_all(f->text, words))
            return true;
    }
    return false;
}
