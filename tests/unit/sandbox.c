/* Tests of daemon/sandbox_files.c and sandbox_calls.c: in children, since what they give up is gone for good. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_calls.h"
#include "sandbox_files.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { GOOD = 0, BAD = 1, NOT_HERE = 77 }; /* how a child ends */

struct world {
    char root[64], known[96], other[96];
};

static void write_file(const char *folder, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    strcpy(w->root, "/tmp/fairlead-sandbox-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    snprintf(w->known, sizeof w->known, "%s/known", w->root);
    snprintf(w->other, sizeof w->other, "%s/other", w->root);
    assert_int_equal(mkdir(w->known, 0700), 0);
    assert_int_equal(mkdir(w->other, 0700), 0);
    write_file(w->known, "there");
    write_file(w->other, "there");
    *state = w;
    return 0;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = { "there", "made", "moved" };
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static int tear_down(void **state)
{
    struct world *w = *state;

    remove_folder(w->known);
    remove_folder(w->other);
    rmdir(w->root);
    free(w);
    return 0;
}

/* How a child that runs this ends: its status, or minus the signal. */
static int in_child(int (*run)(struct world *w), struct world *w)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(run(w));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---------------------------------------------------------------- files */
static int enter(struct world *w, enum sandbox_use use, struct sandbox_files **ret)
{
    int version;

    *ret = sandbox_files_new();
    if (!*ret || sandbox_files_allow(*ret, use, w->known) < 0)
        return BAD;
    sandbox_no_new_privileges();
    if (sandbox_files_enforce(*ret, &version, NULL) < 0)
        return BAD;
    return version ? GOOD : NOT_HERE;
}

static bool can_open(const char *folder, const char *name, int flags)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_move(const char *folder)
{
    char from[128], to[128];

    snprintf(from, sizeof from, "%s/made", folder);
    snprintf(to, sizeof to, "%s/moved", folder);
    return rename(from, to) == 0 && unlink(to) == 0;
}

static int write_around(struct world *w)
{
    struct sandbox_files *s;
    int rc = enter(w, SANDBOX_WRITE, &s);

    if (rc != GOOD)
        return rc;
    return can_open(w->known, "there", O_RDWR | O_TRUNC) && can_open(w->known, "made", O_WRONLY | O_CREAT) &&
           can_move(w->known) && !can_open(w->other, "there", O_RDONLY) && !can_open(w->other, "made", O_WRONLY | O_CREAT) &&
           !can_open("/etc", "passwd", O_RDONLY) ? GOOD : BAD;
}

static int read_around(struct world *w)
{
    struct sandbox_files *s;
    int rc = enter(w, SANDBOX_READ, &s);

    if (rc != GOOD)
        return rc;
    return can_open(w->known, "there", O_RDONLY) && !can_open(w->known, "there", O_WRONLY) &&
           !can_open(w->known, "made", O_WRONLY | O_CREAT) && !can_open(w->other, "there", O_RDONLY) ? GOOD : BAD;
}

static bool covers(const struct sandbox_files *s, enum sandbox_use use, const char *folder, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return sandbox_files_covers(s, use, path);
}

static int ask_around(struct world *w)
{
    struct sandbox_files *s;
    int rc = enter(w, SANDBOX_READ, &s);

    if (rc != GOOD)
        return rc;
    return covers(s, SANDBOX_READ, w->known, "there") && covers(s, SANDBOX_READ, w->known, "not yet") &&
           !covers(s, SANDBOX_WRITE, w->known, "there") && !covers(s, SANDBOX_READ, w->other, "there") &&
           !covers(s, SANDBOX_READ, w->other, "not yet") && !covers(s, SANDBOX_READ, w->root, "no/such/folder") ? GOOD : BAD;
}

static void expect_good(int (*run)(struct world *w), void **state)
{
    int rc = in_child(run, *state);

    if (rc == NOT_HERE)
        skip(); /* this kernel has no Landlock */
    assert_int_equal(rc, GOOD);
}

static void what_is_written_is_written_in_its_folder_alone(void **state)
{
    expect_good(write_around, state);
}

static void what_is_read_is_not_written(void **state)
{
    expect_good(read_around, state);
}

static void it_tells_whether_a_file_lies_within(void **state)
{
    expect_good(ask_around, state);
}

static void where_nothing_is_in_force_everything_lies_within(void **state)
{
    struct sandbox_files *s = sandbox_files_new();

    assert_true(sandbox_files_covers(s, SANDBOX_WRITE, "/etc/passwd"));
    assert_true(sandbox_files_covers(NULL, SANDBOX_READ, "/etc/passwd"));
    sandbox_files_free(s);
}

/* A certificate that is a link (as Let's Encrypt has them): the folder of the link, and the one that it leads to. */
static int read_by_link(struct world *w)
{
    struct sandbox_files *s = sandbox_files_new();
    char link[128], target[128];
    int version;

    snprintf(link, sizeof link, "%s/made", w->known);
    snprintf(target, sizeof target, "%s/there", w->other);
    if (!s || symlink(target, link) < 0 || sandbox_files_allow_around(s, SANDBOX_READ, link) < 0)
        return BAD;
    sandbox_no_new_privileges();
    if (sandbox_files_enforce(s, &version, NULL) < 0)
        return BAD;
    if (!version)
        return NOT_HERE;
    return can_open(w->known, "made", O_RDONLY) && can_open(w->other, "there", O_RDONLY) && !can_open("/etc", "passwd", O_RDONLY) ?
           GOOD : BAD;
}

static void a_link_is_covered_with_what_it_leads_to(void **state)
{
    expect_good(read_by_link, state);
}

/* ---------------------------------------------------------------- system calls */
static int confined(void)
{
    struct fl_err err;

    sandbox_no_new_privileges();
    return sandbox_calls_enforce(&err) == 0 ? GOOD : NOT_HERE;
}

static int run_a_program(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    execl("/bin/true", "true", (char *)NULL);
    return BAD;
}

static int mount_something(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    mount("none", w->known, "tmpfs", 0, NULL);
    return BAD;
}

static int leave_for_a_namespace(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    syscall(SYS_unshare, 0x10000000);
    return BAD;
}

static int load_into_the_kernel(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    syscall(SYS_bpf, 0, NULL, 0);
    return BAD;
}

static int look_into_another_process(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
    return BAD;
}

#ifndef __SANITIZE_ADDRESS__
static int trace_another_process(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    return BAD;
}

static int begin_a_process(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    return fork() < 0 && errno == ENOSYS && kill(getppid(), 0) < 0 && errno == ENOSYS ? GOOD : BAD;
}
#endif

static int open_odd_sockets(struct world *w)
{
    if (confined() != GOOD)
        return NOT_HERE;
    return socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS && syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0) < 0 &&
           errno == ENOSYS ? GOOD : BAD;
}

static void *add_one(void *arg)
{
    ++*(int *)arg;
    return arg;
}

/* What a relay does: threads, files, sockets, memory. */
static int work_on(struct world *w)
{
    pthread_t thread;
    int fd, n = 0;

    if (confined() != GOOD)
        return NOT_HERE;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && pthread_create(&thread, NULL, add_one, &n) == 0 && pthread_join(thread, NULL) == 0 && n == 1 &&
           can_open(w->known, "made", O_RDWR | O_CREAT) && can_move(w->known) ? GOOD : BAD;
}

static void to_run_trace_or_mount_ends_the_process(void **state)
{
    static int (*const deeds[])(struct world *w) = {
        run_a_program, mount_something, leave_for_a_namespace, load_into_the_kernel, look_into_another_process,
#ifndef __SANITIZE_ADDRESS__
        trace_another_process,
#endif
    };

    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        int rc = in_child(deeds[i], *state);

        if (rc == NOT_HERE)
            skip(); /* this kernel has no seccomp */
        assert_int_equal(rc, -SIGSYS);
    }
}

static void what_else_it_does_not_need_is_not_there(void **state)
{
    int rc = in_child(open_odd_sockets, *state);

    if (rc == NOT_HERE)
        skip();
    assert_int_equal(rc, GOOD);
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(in_child(begin_a_process, *state), GOOD);
#endif
}

static void what_a_relay_does_goes_on(void **state)
{
    int rc = in_child(work_on, *state);

    if (rc == NOT_HERE)
        skip();
    assert_int_equal(rc, GOOD);
}

static void without_core_dumps_nobody_of_our_user_looks_in(void **state)
{
    sandbox_core_dumps(false);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    sandbox_core_dumps(true);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_written_in_its_folder_alone),
        TEST(what_is_read_is_not_written),
        TEST(it_tells_whether_a_file_lies_within),
        TEST(where_nothing_is_in_force_everything_lies_within),
        TEST(a_link_is_covered_with_what_it_leads_to),
        TEST(to_run_trace_or_mount_ends_the_process),
        TEST(what_else_it_does_not_need_is_not_there),
        TEST(what_a_relay_does_goes_on),
        TEST(without_core_dumps_nobody_of_our_user_looks_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
