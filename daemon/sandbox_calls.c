/* sandbox_calls.c: see sandbox_calls.h. Names that this machine's architecture or libseccomp does not know are passed over. */
#include "sandbox_calls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* Whatever their arguments: who needs them. */
static const char *const allowed[] = {
    /* memory, threads, signals: libc */
    "arch_prctl", "brk", "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu", "gettid", "madvise",
    "membarrier", "mmap", "mprotect", "mremap", "munmap", "pause", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sched_getaffinity", "sched_yield",
    "set_robust_list", "set_tid_address", "sigaltstack",
    /* who and where we are */
    "capget", "getegid", "geteuid", "getgid", "getgroups", "getpgrp", "getpid", "getppid", "getrandom", "getresgid",
    "getresuid", "getrlimit", "getrusage", "getuid", "sysinfo", "times", "uname",
    /* clocks: libuv, libunbound */
    "clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time", "timerfd_create",
    "timerfd_gettime", "timerfd_settime",
    /* files: SQLite, segments, accounting and its rotation, certificates */
    "access", "chmod", "chown", "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fchmod", "fchmodat", "fchown", "fchownat", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
    "fsync", "ftruncate", "getcwd", "getdents64", "link", "linkat", "lseek", "lstat", "memfd_create", "mkdir", "mkdirat", "newfstatat", "open",
    "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readlink", "readlinkat",
    "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile", "stat", "statfs", "statx", "sync_file_range", "truncate",
    "umask", "unlink", "unlinkat", "utimensat", "write", "writev",
    /* waiting: libuv, libmicrohttpd, libunbound */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "pipe", "pipe2",
    "poll", "ppoll", "pselect6", "select", "signalfd4",
    /* sockets */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg",
    "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
#ifdef __SANITIZE_ADDRESS__
    /* looking for leaks at the end: a helper stops and traces our threads */
    "clone", "clone3", "fork", "getdents", "kill", "prctl", "ptrace", "tgkill", "wait4",
#endif
};

/* Never ours, and what an intruder wants. Whoever makes one is ended; the kernel's audit log names the call. */
static const char *const fatal[] = {
    "acct", "add_key", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module", "execve", "execveat", "finit_module",
    "fsconfig", "fsmount", "fsopen", "init_module", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load",
    "keyctl", "mount", "mount_setattr", "move_mount", "open_by_handle_at", "open_tree",
    "perf_event_open", "personality", "pidfd_getfd", "pivot_root", "process_vm_readv", "process_vm_writev", "quotactl",
    "reboot", "request_key", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount2", "unshare",
    "userfaultfd", "vhangup",
#ifndef __SANITIZE_ADDRESS__
    "fork", "ptrace", "vfork",
#endif
};

static int add(scmp_filter_ctx f, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name), rc;

    if (nr == __NR_SCMP_ERROR)
        return 0;
    rc = seccomp_rule_add(f, action, nr, 0);
    return rc == -EDOM ? 0 : rc; /* not on this architecture */
}

static int add_all(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add(f, action, names[i]);
    return rc;
}

/* Sockets of the network, of this machine, and netlink (libc asks it for addresses). */
static int add_sockets(scmp_filter_ctx f)
{
    static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
    int rc = 0;

    for (size_t i = 0; i < sizeof families / sizeof *families && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    return rc;
}

static int add_ioctls(scmp_filter_ctx f)
{
    static const unsigned long orders[] = { FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ };
    int rc = 0;

    for (size_t i = 0; i < sizeof orders / sizeof *orders && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, orders[i]));
    return rc;
}

/* Threads, but no processes; signals to ourselves alone; names of threads; limits asked, not set. clone3 has its flags in memory,
 * where a filter cannot look: libc takes clone when it is not there. */
static int add_own(scmp_filter_ctx f)
{
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));

#ifndef __SANITIZE_ADDRESS__
    scmp_datum_t self = (scmp_datum_t)getpid();

    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_EQ, self));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
#endif
    return rc;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static int fill(scmp_filter_ctx f)
{
    int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0); /* whoever calls us has set it, or must not */

    if (rc == 0)
        rc = add_all(f, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (rc == 0)
        rc = add_sockets(f);
    if (rc == 0)
        rc = add_ioctls(f);
    if (rc == 0)
        rc = add_own(f);
    if (rc == 0)
        rc = add_all(f, SCMP_ACT_KILL_PROCESS, fatal, COUNT(fatal));
    return rc;
}

int sandbox_calls_enforce(struct fl_err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc;

    if (!f)
        return fl_fail(err, FL_ENOMEM, "seccomp: out of memory");
    rc = fill(f);
    if (rc == 0)
        rc = seccomp_load(f);
    seccomp_release(f);
    return rc == 0 ? 0 : fl_fail(err, rc == -ENOMEM ? FL_ENOMEM : FL_EDENIED, "seccomp: %s", strerror(-rc));
}
