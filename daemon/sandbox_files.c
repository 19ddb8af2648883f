/* sandbox_files.c: see sandbox_files.h. libc has no functions for Landlock, and Debian's headers stop at its version 2. */
#include "sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* What is refused unless a rule allows it: all that Landlock knew in version 1, and what came later. */
enum { FIRST_BITS = 13 };
#define HANDLED_1 ((UINT64_C(1) << FIRST_BITS) - 1)
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                                                        \
    (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG |              \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER)
/* Of those, the ones that a rule for a single file may name. */
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

struct place {
    char *path; /* without symbolic links */
    enum sandbox_use use;
};

struct sandbox_files {
    struct place *places;
    int count, room;
    int version; /* 0: not in force */
};

struct sandbox_files *sandbox_files_new(void)
{
    return calloc(1, sizeof(struct sandbox_files));
}

void sandbox_files_free(struct sandbox_files *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->count; i++)
        free(s->places[i].path);
    free(s->places);
    free(s);
}

/* Whether path is place or lies below it. */
static bool is_below(const char *place, const char *path)
{
    size_t n = strlen(place);

    if (strncmp(place, path, n) != 0)
        return false;
    return path[n] == '\0' || path[n] == '/' || strcmp(place, "/") == 0;
}

static bool is_allowed(const struct sandbox_files *s, enum sandbox_use use, const char *path)
{
    for (int i = 0; i < s->count; i++)
        if (s->places[i].use >= use && is_below(s->places[i].path, path))
            return true;
    return false;
}

static int add(struct sandbox_files *s, enum sandbox_use use, char *path)
{
    if (s->count == SANDBOX_FOLDERS_MAX)
        return FL_ELIMIT;
    if (s->count == s->room) {
        int room = s->room ? s->room * 2 : 32;
        struct place *more = realloc(s->places, (size_t)room * sizeof *more);

        if (!more)
            return FL_ENOMEM;
        s->places = more;
        s->room = room;
    }
    s->places[s->count++] = (struct place){ path, use };
    return 0;
}

int sandbox_files_allow(struct sandbox_files *s, enum sandbox_use use, const char *path)
{
    char *real = realpath(path, NULL);
    int rc = 0;

    if (!real)
        return errno == ENOMEM ? FL_ENOMEM : 0;
    if (!is_allowed(s, use, real)) {
        rc = add(s, use, real);
        if (rc == 0)
            return 0;
    }
    free(real);
    return rc;
}

/* The folder that this path lies in. */
static int allow_folder(struct sandbox_files *s, enum sandbox_use use, const char *file)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    size_t n = slash ? (size_t)(slash - file) : 0;

    if (n == 0 || n >= sizeof folder) /* beside the root folder: that file alone */
        return sandbox_files_allow(s, use, file);
    memcpy(folder, file, n);
    folder[n] = '\0';
    return sandbox_files_allow(s, use, folder);
}

int sandbox_files_allow_around(struct sandbox_files *s, enum sandbox_use use, const char *file)
{
    char real[PATH_MAX];
    int rc = allow_folder(s, use, file);

    return rc == 0 && realpath(file, real) ? allow_folder(s, use, real) : rc;
}

/* ---------------------------------------------------------------- the kernel */
static int kernel_version(void)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return v < 0 ? 0 : (int)v;
}

static uint64_t handled_by(int version)
{
    return HANDLED_1 | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) | (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

static int add_rule(int rules, uint64_t handled, const struct place *p, struct fl_err *err)
{
    struct landlock_path_beneath_attr rule = { .parent_fd = open(p->path, O_PATH | O_CLOEXEC) };
    uint64_t rights = p->use == SANDBOX_WRITE ? WRITE_RIGHTS : READ_RIGHTS;
    struct stat st;
    long rc = -1;

    if (rule.parent_fd >= 0 && fstat(rule.parent_fd, &st) == 0) {
        rule.allowed_access = handled & (S_ISDIR(st.st_mode) ? rights : rights & FILE_RIGHTS);
        rc = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    if (rc < 0)
        fl_fail(err, fl_code_of_errno(errno), "%s: Landlock: %s", p->path, strerror(errno));
    if (rule.parent_fd >= 0)
        close(rule.parent_fd);
    return rc < 0 ? FL_EIO : 0;
}

int sandbox_files_enforce(struct sandbox_files *s, int *ret_version, struct fl_err *err)
{
    int version = kernel_version(), rules, rc = 0;
    struct landlock_ruleset_attr attr = { .handled_access_fs = handled_by(version) };

    *ret_version = 0;
    if (version == 0)
        return 0;
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0)
        return fl_fail(err, fl_code_of_errno(errno), "Landlock: %s", strerror(errno));
    for (int i = 0; i < s->count && rc == 0; i++)
        rc = add_rule(rules, attr.handled_access_fs, &s->places[i], err);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        rc = fl_fail(err, fl_code_of_errno(errno), "Landlock: %s", strerror(errno));
    close(rules);
    if (rc == 0)
        *ret_version = s->version = version;
    return rc;
}

int sandbox_files_version(const struct sandbox_files *s)
{
    return s ? s->version : 0;
}

bool sandbox_files_covers(const struct sandbox_files *s, enum sandbox_use use, const char *file)
{
    char real[PATH_MAX], *slash;

    if (sandbox_files_version(s) == 0)
        return true;
    if (realpath(file, real))
        return is_allowed(s, use, real);
    if (strlen(file) >= sizeof real)
        return false;
    strcpy(real, file); /* not there yet: its folder counts */
    slash = strrchr(real, '/');
    if (!slash || slash == real)
        return false;
    *slash = '\0';
    return sandbox_files_covers(s, use, real);
}
