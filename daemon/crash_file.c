/* crash_file.c: see crash_file.h. Two small files in the data folder: `crash`, raw ids, written by the handler; `suspects`, a line for
 * each id with its count. */
#include "crash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct suspect {
    struct ulid id;
    unsigned count;
};

struct crash_file {
    int folder, fd;
    bool watching;
    struct suspect suspects[QUARANTINE_MAX];
    int count;
};

/* A signal handler is given no argument: the one place where the process is asked for its own state. */
static struct {
    volatile sig_atomic_t fd;
    const struct in_hand *volatile in_hand;
} watched = { .fd = -1 };

static const int fatal_signals[] = {
    SIGABRT,
#ifndef __SANITIZE_ADDRESS__ /* whose own handler tells more */
    SIGSEGV, SIGBUS, SIGFPE, SIGILL,
#endif
};

static void on_fatal(int signal_number)
{
    const struct in_hand *h = watched.in_hand;

    if (h && watched.fd >= 0)
        (void)!write(watched.fd, h->id, sizeof h->id);
    raise(signal_number); /* SA_RESETHAND: dies of it now */
}

static bool is_zero(const struct ulid *id)
{
    static const struct ulid zero;

    return ulid_cmp(id, &zero) == 0;
}

static void accuse(struct crash_file *f, const struct ulid *id)
{
    for (int i = 0; i < f->count; i++)
        if (ulid_cmp(&f->suspects[i].id, id) == 0) {
            f->suspects[i].count++;
            return;
        }
    if (f->count < QUARANTINE_MAX)
        f->suspects[f->count++] = (struct suspect){ *id, 1 };
}

static void read_suspects(struct crash_file *f)
{
    int fd = openat(f->folder, "suspects", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
    char text[ULID_TEXT];
    unsigned count;

    while (in && f->count < QUARANTINE_MAX && fscanf(in, "%26s %u", text, &count) == 2) {
        struct suspect s = { .count = count };

        if (ulid_parse(slice_of(text), &s.id))
            f->suspects[f->count++] = s;
    }
    if (in)
        fclose(in);
}

/* Who is not accused again, was innocent. */
static void keep_accused(struct crash_file *f, const struct ulid *ids, int n)
{
    int kept = 0;

    for (int i = 0; i < f->count; i++)
        for (int k = 0; k < n; k++)
            if (ulid_cmp(&f->suspects[i].id, &ids[k]) == 0) {
                f->suspects[kept++] = f->suspects[i];
                break;
            }
    f->count = kept;
}

static void count_last_crash(struct crash_file *f)
{
    struct ulid ids[IN_HAND_MAX];
    ssize_t got = pread(f->fd, ids, sizeof ids, 0);
    int n = got > 0 ? (int)((size_t)got / sizeof *ids) : 0;

    keep_accused(f, ids, n);
    for (int i = 0; i < n; i++) {
        bool again = is_zero(&ids[i]);

        for (int k = 0; k < i; k++)
            again = again || ulid_cmp(&ids[i], &ids[k]) == 0;
        if (!again)
            accuse(f, &ids[i]);
    }
}

static void write_suspects(struct crash_file *f)
{
    int fd = openat(f->folder, "suspects", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    char text[ULID_TEXT];

    /* a count that cannot be written is one that begins anew */
    for (int i = 0; out && i < f->count; i++) {
        ulid_text(&f->suspects[i].id, text);
        fprintf(out, "%s %u\n", text, f->suspects[i].count);
    }
    if (out)
        fclose(out);
}

int crash_file_open(const char *data_dir, struct crash_file **ret, struct fl_err *err)
{
    struct crash_file *f = calloc(1, sizeof *f);

    if (!f)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    f->fd = -1;
    f->folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder >= 0)
        f->fd = openat(f->folder, "crash", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0) {
        int rc = fl_fail(err, fl_code_of_errno(errno), "%s/crash: %s", data_dir, strerror(errno));

        if (f->folder >= 0)
            close(f->folder);
        free(f);
        return rc;
    }
    read_suspects(f);
    count_last_crash(f);
    *ret = f;
    return 0;
}

int crash_file_blamed(struct crash_file *f, struct ulid ret[QUARANTINE_MAX])
{
    int n = 0, kept = 0;

    for (int i = 0; i < f->count; i++) {
        if (f->suspects[i].count >= CRASHES_TO_BLAME)
            ret[n++] = f->suspects[i].id;
        else
            f->suspects[kept++] = f->suspects[i];
    }
    f->count = kept;
    return n;
}

void crash_file_watch(struct crash_file *f, const struct in_hand *in_hand)
{
    struct sigaction a = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND };

    if (ftruncate(f->fd, 0) < 0)
        f->count = 0; /* or the same crash would count again */
    write_suspects(f);
    f->watching = true;
    watched.in_hand = in_hand;
    watched.fd = f->fd;
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], &a, NULL);
}

void crash_file_close(struct crash_file *f)
{
    if (!f)
        return;
    watched.in_hand = NULL;
    watched.fd = -1;
    if (f->watching)
        unlinkat(f->folder, "suspects", 0);
    close(f->fd);
    close(f->folder);
    free(f);
}
