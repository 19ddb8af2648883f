/* include.c: see include.h. */
#include "include.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "finding.h"
#include "salvage.h"
#include "schema.h"
#include "yaml_nodes.h"

enum {
    INCLUDE_DEPTH_MAX = 16,
    INCLUDE_FILES_MAX = 100000,
    INCLUDE_BYTES_MAX = 64 * 1024 * 1024, /* all files together; 10,000 tenants take about 10 MiB */
    INCLUDE_PARTS_MAX = 32,               /* folders in one name */
    READ_BYTES = 64 * 1024,
};

struct file_id {
    dev_t dev;
    ino_t ino;
};

/* A file that was read, or is being read. */
struct seen_file {
    struct file_id id;
    const char *name;
    bool open; /* an include inside it is being followed */
    UT_hash_handle hh;
};

struct includer {
    struct arena *nodes, *names;
    struct conf_findings *findings;
    struct node *root;
    struct seen_file *seen;
    const char *main_file, *folder;
    int root_fd;
    size_t bytes;
    int depth;
    bool broken;   /* a file was no YAML */
    bool salvages; /* what can be read of such a file is read */
};

/* One entry of `include`, cut into the parts of its path; the first are the including file's folder. */
struct wanted {
    struct slice parts[INCLUDE_PARTS_MAX];
    int count;
    bool is_pattern;
    const struct node *node;
};

static int read_file(struct includer *in, int fd, const char *name, const struct conf_place *at, const char *folder);

static bool is_pattern(struct slice part)
{
    return slice_find(part, '*') < part.n || slice_find(part, '?') < part.n || slice_find(part, '[') < part.n;
}

/* Into a buffer that is wiped afterwards. size: what the file is said to have; most are small, and there may be thousands. */
static int read_all(struct includer *in, int fd, off_t size, const char *name, const struct conf_place *at, struct buf *out)
{
    size_t piece = size >= 0 && size < READ_BYTES ? (size_t)size + 1 : READ_BYTES;

    for (;;) {
        ssize_t n;
        char *to;

        if (in->bytes + buf_len(out) >= INCLUDE_BYTES_MAX) {
            finding_error(in->findings, &(struct conf_place){ .file = name, .line = 1, .column = 1 },
                          "the files of the configuration, up to this one, are larger than %d MiB together",
                          INCLUDE_BYTES_MAX / 1024 / 1024);
            return FL_EINVAL;
        }
        if (buf_reserve(out, piece, &to) < 0)
            return FL_ENOMEM;
        n = read(fd, to, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            finding_error(in->findings, at, "%s: cannot be read: %s", name, strerror(errno));
            return FL_EINVAL;
        }
        if (n == 0)
            return 0;
        buf_grown(out, (size_t)n);
    }
}

/* Moves the sections of one file into the merged tree: mappings join, lists go on, all else is said once. */
static void merge(struct includer *in, struct node *file)
{
    struct node *next;

    for (struct node *section = file->first; section; section = next) {
        struct node *there = node_child(in->root, section->name.p);

        next = section->next;
        if (!there) {
            node_append(in->root, section);
        } else if (there->kind == section->kind && (there->kind == NODE_MAP || there->kind == NODE_LIST)) {
            for (struct node *c = section->first, *after; c; c = after) {
                after = c->next;
                node_append(there, c);
            }
        } else if (there->name_at.file == section->name_at.file) {
            continue; /* the same file: it was reported as repeated */
        } else {
            finding_error(in->findings, &section->name_at, "%s: stands here again; it is at %s:%d already", section->name.p,
                          there->name_at.file, there->name_at.line);
        }
    }
}

static struct seen_file *find_seen(struct includer *in, const struct stat *st)
{
    struct file_id id;
    struct seen_file *found;

    memset(&id, 0, sizeof id); /* padding is hashed too */
    id.dev = st->st_dev;
    id.ino = st->st_ino;
    HASH_FIND(hh, in->seen, &id, sizeof id, found);
    return found;
}

/* NULL without memory. */
static struct seen_file *remember(struct includer *in, const struct stat *st, const char *name)
{
    struct seen_file *s = arena_alloc(in->nodes, sizeof *s);

    if (!s)
        return NULL;
    s->id.dev = st->st_dev;
    s->id.ino = st->st_ino;
    s->name = name;
    HASH_ADD(hh, in->seen, id, sizeof s->id, s);
    return s->hh.tbl ? s : NULL;
}

/* Opens one part of a path below dir, never through a symbolic link. A negative result was reported, or is none. */
static int open_part(struct includer *in, const struct wanted *w, int dir, const char *part, const char *shown, bool is_folder)
{
    const struct conf_place *at = &w->node->at;
    struct stat st;
    int fd;

    if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT && w->is_pattern)
            return -1; /* a pattern may match nothing */
        finding_error(in->findings, at, "include: %s: %s", shown, strerror(errno));
        return -1;
    }
    if (S_ISLNK(st.st_mode)) {
        finding_error(in->findings, at, "include: %s is a symbolic link; only files below the main file's folder are taken",
                      shown);
        return -1;
    }
    if (is_folder && w->is_pattern && !S_ISDIR(st.st_mode))
        return -1; /* there is nothing below a file */
    if (is_folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
        finding_error(in->findings, at, "include: %s is no %s", shown, is_folder ? "folder" : "regular file");
        return -1;
    }
    fd = openat(dir, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (is_folder ? O_DIRECTORY : 0));
    if (fd < 0)
        finding_error(in->findings, at, "include: %s: %s", shown, strerror(errno));
    return fd;
}

static int take_file(struct includer *in, const struct wanted *w, int fd, const char *shown)
{
    const char *slash = strrchr(shown, '/'), *folder;
    struct seen_file *before;
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        finding_error(in->findings, &w->node->at, "include: %s is no regular file", shown);
        return 0;
    }
    before = find_seen(in, &st);
    if (before) {
        finding_error(in->findings, &w->node->at, "include: %s is %s", shown,
                      before->open ? "included by itself (a cycle)" : "included already; once is enough");
        return 0;
    }
    if (in->depth == INCLUDE_DEPTH_MAX || HASH_COUNT(in->seen) >= INCLUDE_FILES_MAX) {
        finding_error(in->findings, &w->node->at, "include: %s: more than %d files in each other, or %d in all", shown,
                      INCLUDE_DEPTH_MAX, INCLUDE_FILES_MAX);
        return 0;
    }
    folder = arena_printf(in->names, "%.*s", slash ? (int)(slash - shown) : 0, shown);
    if (!folder)
        return FL_ENOMEM;
    return read_file(in, fd, shown, &w->node->at, folder);
}

static int follow(struct includer *in, const struct wanted *w, int part, int dir, const char *prefix);

/* Goes one part deeper: name is what stands in the folder `dir`, prefix the path so far. */
static int follow_name(struct includer *in, const struct wanted *w, int part, int dir, const char *prefix, const char *name)
{
    bool is_last = part == w->count - 1;
    const char *shown = arena_printf(in->names, "%s%s%s", prefix, *prefix ? "/" : "", name);
    int fd, rc;

    if (!shown)
        return FL_ENOMEM;
    fd = open_part(in, w, dir, name, shown, !is_last);
    if (fd < 0)
        return 0;
    rc = is_last ? take_file(in, w, fd, shown) : follow(in, w, part + 1, fd, shown);
    close(fd);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a folder that match, sorted; the caller frees each and the array. */
static int list_matches(int dir, const char *pattern, char ***ret, int *ret_count)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    struct dirent *e;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return fl_code_of_errno(errno);
    }
    while ((e = readdir(d)) != NULL && count < INCLUDE_FILES_MAX) {
        char **more;

        if (fnmatch(pattern, e->d_name, FNM_PERIOD) != 0)
            continue;
        more = (count & (count - 1)) == 0 ? realloc(names, sizeof *names * (count ? (size_t)count * 2 : 1)) : names;
        if (more)
            names = more;
        if (!more || !(names[count] = strdup(e->d_name)))
            break;
        count++;
    }
    closedir(d);
    *ret = names;
    *ret_count = count;
    if (count)
        qsort(names, (size_t)count, sizeof *names, by_text);
    return e && count < INCLUDE_FILES_MAX ? FL_ENOMEM : 0;
}

static int follow(struct includer *in, const struct wanted *w, int part, int dir, const char *prefix)
{
    const char *name = arena_printf(in->nodes, "%.*s", SLICE_ARG(w->parts[part]));
    char **names = NULL;
    int count = 0, rc;

    if (!name)
        return FL_ENOMEM;
    if (!is_pattern(w->parts[part]))
        return follow_name(in, w, part, dir, prefix, name);
    rc = list_matches(dir, name, &names, &count);
    if (rc < 0 && rc != FL_ENOMEM) {
        finding_error(in->findings, &w->node->at, "include: the folder %s cannot be read", *prefix ? prefix : in->folder);
        rc = 0;
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = follow_name(in, w, part, dir, prefix, names[i]);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* Adds the parts of a relative path; false when it leaves the main file's folder or has too many parts. */
static bool add_parts(struct wanted *w, struct slice path)
{
    while (path.n) {
        struct slice part = slice_cut(&path, '/');

        if (part.n == 0 || slice_eq(part, SLICE(".")))
            continue;
        if (slice_eq(part, SLICE(".."))) {
            if (w->count == 0)
                return false;
            w->count--;
            continue;
        }
        if (w->count == INCLUDE_PARTS_MAX)
            return false;
        w->parts[w->count++] = part;
        w->is_pattern |= is_pattern(part);
    }
    return true;
}

static int include_one(struct includer *in, const struct node *n, const char *folder)
{
    struct slice path = n->text, root = slice_of(in->folder);
    struct wanted w = { .node = n };
    bool inside;

    if (n->kind != NODE_TEXT || n->text.n == 0)
        return 0; /* parse.c says so */
    if (path.p[0] == '/') {
        inside = path.n > root.n && memcmp(path.p, root.p, root.n) == 0 && path.p[root.n] == '/' &&
                 add_parts(&w, slice_skip(path, root.n));
    } else {
        inside = add_parts(&w, slice_of(folder)) && add_parts(&w, path);
    }
    if (!inside || w.count == 0) {
        finding_error(in->findings, &n->at, "include: %s lies outside the main file's folder %s", n->text.p, in->folder);
        return 0;
    }
    return follow(in, &w, 0, in->root_fd, "");
}

static int follow_includes(struct includer *in, const struct node *file, const char *folder)
{
    const struct node *list = node_child(file, "include");
    int rc = 0;

    if (!list || list->kind != NODE_LIST)
        return 0;
    in->depth++;
    for (const struct node *n = list->first; n && rc == 0; n = n->next)
        rc = include_one(in, n, folder);
    in->depth--;
    return rc;
}

static bool holds_plain_secret(const struct node *n)
{
    if (n->kind == NODE_TEXT)
        return n->name.p &&
               (slice_eq(n->name, SLICE("plain")) || slice_eq(n->name, SLICE("token")) || slice_eq(n->name, SLICE("password")));
    for (const struct node *c = n->first; c; c = c->next)
        if (holds_plain_secret(c))
            return true;
    return false;
}

/* FL_EINVAL: it is no YAML, which was said, and *ret is what can be read of it where that is wanted. */
static int parse_text(struct includer *in, struct slice text, const char *name, struct node **ret)
{
    int rc = yaml_parse(in->nodes, text, name, in->findings, ret);

    if (rc == FL_EINVAL)
        *ret = in->salvages ? salvage_sections(in->nodes, text, name) : NULL;
    return rc;
}

/* fd is borrowed. What is wrong in the file is a finding, not an error. */
static int read_file(struct includer *in, int fd, const char *name, const struct conf_place *at, const char *folder)
{
    struct seen_file *self;
    struct node *file = NULL;
    struct stat st;
    struct buf text;
    int rc;

    if (fstat(fd, &st) < 0)
        return fl_code_of_errno(errno);
    self = remember(in, &st, name);
    if (!self)
        return FL_ENOMEM;
    buf_init(&text, 0);
    rc = read_all(in, fd, st.st_size, name, at, &text);
    in->bytes += buf_len(&text);
    if (rc == 0)
        rc = parse_text(in, buf_slice(&text), name, &file);
    buf_wipe(&text);
    if (rc == FL_EINVAL) {
        in->broken = true; /* said; the other files are looked at all the same */
        rc = 0;
    }
    if (rc < 0 || !file)
        return rc;
    if (file->kind != NODE_MAP) {
        finding_error(in->findings, &file->at, "%s was found; allowed: a mapping of sections (server, listeners, …)",
                      node_kind_text(file));
        return 0;
    }
    if ((st.st_mode & S_IROTH) && holds_plain_secret(file))
        finding_warning(in->findings, &file->at, "this file holds secrets in plain text and everybody may read it (mode %04o)",
                        (unsigned)st.st_mode & 07777);
    self->open = true;
    rc = follow_includes(in, file, folder);
    self->open = false;
    if (rc == 0)
        merge(in, file);
    return rc;
}

static int open_main(struct includer *in, int *ret)
{
    const char *slash = strrchr(in->main_file, '/');
    char *typed = slash ? strndup(in->main_file, slash == in->main_file ? 1 : (size_t)(slash - in->main_file)) : strdup(".");
    struct conf_place at = { .file = in->main_file, .line = 1, .column = 1 };
    char folder[PATH_MAX];
    struct stat st;

    if (!typed)
        return FL_ENOMEM;
    *ret = open(in->main_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*ret >= 0 && realpath(typed, folder))
        in->root_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(typed);
    if (*ret < 0 || in->root_fd < 0) {
        int code = fl_code_of_errno(errno);

        finding_error(in->findings, &at, "cannot be read: %s", strerror(errno));
        return code;
    }
    if (fstat(*ret, &st) < 0 || !S_ISREG(st.st_mode)) {
        finding_error(in->findings, &at, "is no regular file");
        return FL_EINVAL;
    }
    in->folder = arena_text(in->names, strcmp(folder, "/") == 0 ? "" : folder);
    return in->folder ? 0 : FL_ENOMEM;
}

/* Names in sections that came from several files: yaml.c compared those of one file only. */
static int report_repeats(struct includer *in)
{
    int rc = 0;

    for (const struct node *section = in->root->first; section && rc == 0; section = section->next) {
        bool several = false;

        for (const struct node *c = section->first; c; c = c->next)
            several |= c->name_at.file != section->first->name_at.file;
        if (several && section->kind == NODE_MAP)
            rc = node_report_repeats(section, in->findings);
    }
    return rc;
}

int include_read(const char *main_file, bool salvages, struct arena *nodes, struct arena *names, struct conf_findings *findings,
                 struct node **ret, const char **ret_folder)
{
    struct includer in = { .nodes = nodes, .names = names, .findings = findings, .root_fd = -1, .salvages = salvages };
    struct conf_place at = { .line = 1, .column = 1 };
    int fd = -1, rc;

    at.file = in.main_file = arena_text(names, main_file);
    in.root = at.file ? node_new(nodes, NODE_MAP, &at, SLICE_NONE) : NULL;
    rc = in.root ? open_main(&in, &fd) : FL_ENOMEM;
    if (rc == 0)
        rc = read_file(&in, fd, in.main_file, NULL, "");
    if (rc == 0)
        rc = report_repeats(&in);
    HASH_CLEAR(hh, in.seen);
    if (fd >= 0)
        close(fd);
    if (in.root_fd >= 0)
        close(in.root_fd);
    if (rc < 0)
        return rc;
    *ret = in.root;
    *ret_folder = in.folder;
    return in.broken ? FL_EINVAL : 0;
}
