/* file_rotation.c: see file_rotation.h. */
#include "file_rotation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum { STAMP = sizeof "20261124T223727.123Z", STAMPS_TRIED = 1000 };

bool file_rotation_is_due(const struct file_rotation *r, int64_t has, int64_t last_ms, int64_t now_ms)
{
    if (has == 0)
        return false;
    if (r->size > 0 && has >= r->size)
        return true;
    return r->every_ms > 0 && last_ms / r->every_ms != now_ms / r->every_ms;
}

/* RFC 3339 without the separators: such names sort by time, and need no quotes in a shell. */
static void stamp(int64_t wall_ms, char ret[STAMP])
{
    char text[CLOCK_RFC3339];
    int n = 0;

    clock_rfc3339(wall_ms, text);
    for (const char *c = text; *c; c++)
        if (*c != '-' && *c != ':' && n < STAMP - 1)
            ret[n++] = *c;
    ret[n] = 0;
}

static bool is_stamp(const char *text)
{
    return strlen(text) == STAMP - 1 && strspn(text, "0123456789T.Z") == STAMP - 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The rotated files of base in a folder, oldest first; the caller frees them. */
static int list_rotated(DIR *folder, const char *base, char **names)
{
    size_t n = strlen(base);
    struct dirent *e;
    int count = 0;

    while (count < FILE_ROTATED_MAX && (e = readdir(folder))) {
        if (strncmp(e->d_name, base, n) != 0 || e->d_name[n] != '.' || !is_stamp(e->d_name + n + 1))
            continue;
        names[count] = strdup(e->d_name);
        if (names[count])
            count++;
    }
    qsort(names, (size_t)count, sizeof *names, by_name);
    return count;
}

static void remove_old(const char *path, int64_t keep)
{
    const char *slash = strrchr(path, '/');
    char *where = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char **names = calloc(FILE_ROTATED_MAX, sizeof *names);
    DIR *folder = where && names ? opendir(where) : NULL;
    int count = folder ? list_rotated(folder, slash ? slash + 1 : path, names) : 0;

    for (int i = 0; i < count; i++) {
        if (i < count - keep)
            unlinkat(dirfd(folder), names[i], 0);
        free(names[i]);
    }
    if (folder)
        closedir(folder);
    free(names);
    free(where);
}

int file_rotate(const char *path, const struct file_rotation *r, int64_t now_ms)
{
    size_t n = strlen(path) + 1 + STAMP;
    char *to = malloc(n), when[STAMP];
    int rc = -EEXIST;

    if (!to)
        return -ENOMEM;
    /* several may be rotated in one millisecond */
    for (int i = 0; i < STAMPS_TRIED && rc == -EEXIST; i++) {
        stamp(now_ms + i, when);
        snprintf(to, n, "%s.%s", path, when);
        rc = renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
    }
    free(to);
    if (rc == 0 && r->keep > 0)
        remove_old(path, r->keep);
    return rc;
}
