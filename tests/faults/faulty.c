/* faulty.c: system calls and allocations that fail on request, and a wall clock that steps. Loaded into the daemon by LD_PRELOAD
 * (tests/e2e/faults.py); the test and the daemon share one page, the file that FAIRLEAD_FAULTS names, so that a test arms a
 * fault while the daemon runs: the calls of one class are counted, and those numbered first to last fail.
 *
 * Allocations are counted when the program itself asks for them, not its libraries: what they do without memory is not ours to
 * mend. Reads and writes are told apart by what the descriptor is: a file or a socket; what libuv wakes its threads with never
 * fails. Any thread. */
#undef _FILE_OFFSET_BITS /* else open and open64 are one name here, and programs may call either */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The names in tests/e2e/faults.py, in this order. */
enum fault { FAULT_NONE, FAULT_MALLOC, FAULT_READ, FAULT_WRITE, FAULT_SYNC, FAULT_OPEN, FAULT_ACCEPT, FAULT_RECEIVE, FAULT_SEND, FAULT_SOCKET };

struct control {
    _Atomic uint32_t fault;       /* enum fault */
    _Atomic uint32_t error;       /* errno */
    _Atomic uint32_t first, last; /* these fail, counted from 1 */
    _Atomic uint32_t seen, failed;
    _Atomic int64_t step_s;       /* the wall clock is wrong by so much */
};

static struct control *control;

static bool fails(enum fault fault)
{
    uint32_t n;

    if (!control || fault == FAULT_NONE || control->fault != fault)
        return false;
    n = atomic_fetch_add(&control->seen, 1) + 1;
    if (n < control->first || n > control->last)
        return false;
    atomic_fetch_add(&control->failed, 1);
    errno = (int)control->error;
    return true;
}

static bool is_kind(int fd, mode_t kind)
{
    struct stat st;
    int before = errno;
    bool is = fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;

    errno = before;
    return is;
}

/* For calls that are made for files and sockets alike. */
static bool fails_on(int fd, enum fault on_file, enum fault on_socket)
{
    enum fault armed = control ? (enum fault)control->fault : FAULT_NONE;

    if (armed == FAULT_NONE || (armed != on_file && armed != on_socket))
        return false;
    return is_kind(fd, armed == on_file ? S_IFREG : S_IFSOCK) && fails(armed);
}

/* What stands behind this name: the sanitizer's function, or libc's. */
static void *next_of(void **known, const char *name)
{
    if (!*known)
        *known = dlsym(RTLD_NEXT, name);
    return *known;
}

#define NEXT(name) ((__typeof__(&name))next_of(&(static_next_##name), #name))
#define KEEP(name) static void *static_next_##name

/* ---------------------------------------------------------------- memory */
static void *faulty_malloc(size_t n)
{
    return fails(FAULT_MALLOC) ? NULL : malloc(n);
}

static void *faulty_calloc(size_t n, size_t size)
{
    return fails(FAULT_MALLOC) ? NULL : calloc(n, size);
}

static void *faulty_realloc(void *p, size_t n)
{
    return fails(FAULT_MALLOC) ? NULL : realloc(p, n);
}

static char *faulty_strdup(const char *s)
{
    return fails(FAULT_MALLOC) ? NULL : strdup(s);
}

static char *faulty_strndup(const char *s, size_t n)
{
    return fails(FAULT_MALLOC) ? NULL : strndup(s, n);
}

static const struct {
    const char *name;
    void *instead;
} allocators[] = {
    { "malloc", faulty_malloc }, { "calloc", faulty_calloc },   { "realloc", faulty_realloc },
    { "strdup", faulty_strdup }, { "strndup", faulty_strndup },
};

/* The program's dynamic section. */
struct dynamic {
    uintptr_t base;
    const ElfW(Sym) *symbols;
    const char *names;
    const ElfW(Rela) *tables[2];
    size_t bytes[2];
};

static struct dynamic read_dynamic(uintptr_t base, const ElfW(Dyn) *at)
{
    struct dynamic d = { .base = base };

    for (; at->d_tag != DT_NULL; at++) { /* the loader has made addresses of these */
        if (at->d_tag == DT_SYMTAB)
            d.symbols = (const ElfW(Sym) *)at->d_un.d_ptr;
        else if (at->d_tag == DT_STRTAB)
            d.names = (const char *)at->d_un.d_ptr;
        else if (at->d_tag == DT_JMPREL)
            d.tables[0] = (const ElfW(Rela) *)at->d_un.d_ptr;
        else if (at->d_tag == DT_PLTRELSZ)
            d.bytes[0] = at->d_un.d_val;
        else if (at->d_tag == DT_RELA)
            d.tables[1] = (const ElfW(Rela) *)at->d_un.d_ptr;
        else if (at->d_tag == DT_RELASZ)
            d.bytes[1] = at->d_un.d_val;
    }
    return d;
}

static void put(uintptr_t at, void *value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    if (mprotect((void *)(at & ~(page - 1)), page, PROT_READ | PROT_WRITE) == 0)
        memcpy((void *)at, &value, sizeof value);
}

/* Where the program itself jumps to for memory, and nobody else: its own table of imported functions is rewritten, since a
 * malloc() in here would serve the libraries too, and come before the sanitizer's. */
static int take_over(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct dynamic d = { 0 };

    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            d = read_dynamic(info->dlpi_addr, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
    for (size_t t = 0; d.symbols && d.names && t < 2; t++)
        for (size_t i = 0; d.tables[t] && i < d.bytes[t] / sizeof *d.tables[t]; i++) {
            const ElfW(Rela) *r = &d.tables[t][i];
            const char *name = d.names + d.symbols[ELF64_R_SYM(r->r_info)].st_name;

            for (size_t a = 0; a < sizeof allocators / sizeof *allocators; a++)
                if (strcmp(name, allocators[a].name) == 0)
                    put(d.base + r->r_offset, allocators[a].instead);
        }
    return 1; /* the first one is the program */
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAIRLEAD_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (page == MAP_FAILED)
        return;
    control = page;
    dl_iterate_phdr(take_over, NULL);
}

/* ---------------------------------------------------------------- files and sockets */
/* CALL(type, name, parameters, arguments, condition): a call that returns -1 where the condition holds. */
#define CALL(type, name, parameters, arguments, condition) \
    type name parameters                                   \
    {                                                      \
        KEEP(name);                                        \
        return (condition) ? -1 : NEXT(name) arguments;    \
    }

CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), fails_on(fd, FAULT_READ, FAULT_RECEIVE))
CALL(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), fails_on(fd, FAULT_READ, FAULT_NONE))
CALL(ssize_t, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at), fails_on(fd, FAULT_READ, FAULT_NONE))
CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags), fails_on(fd, FAULT_NONE, FAULT_RECEIVE))
CALL(ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), fails_on(fd, FAULT_NONE, FAULT_RECEIVE))
CALL(ssize_t, recvfrom, (int fd, void *p, size_t n, int flags, struct sockaddr *a, socklen_t *size), (fd, p, n, flags, a, size),
     fails_on(fd, FAULT_NONE, FAULT_RECEIVE))
CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), fails_on(fd, FAULT_WRITE, FAULT_SEND))
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), fails_on(fd, FAULT_WRITE, FAULT_SEND))
CALL(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), fails_on(fd, FAULT_WRITE, FAULT_NONE))
CALL(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at), fails_on(fd, FAULT_WRITE, FAULT_NONE))
CALL(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), fails_on(fd, FAULT_WRITE, FAULT_NONE))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), fails_on(fd, FAULT_NONE, FAULT_SEND))
CALL(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), fails_on(fd, FAULT_NONE, FAULT_SEND))
CALL(int, ftruncate, (int fd, off_t size), (fd, size), fails_on(fd, FAULT_WRITE, FAULT_NONE))
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), fails_on(fd, FAULT_WRITE, FAULT_NONE))
CALL(int, fsync, (int fd), (fd), fails(FAULT_SYNC))
CALL(int, fdatasync, (int fd), (fd), fails(FAULT_SYNC))
CALL(int, accept, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), fails(FAULT_ACCEPT))
CALL(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags), fails(FAULT_ACCEPT))
CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol), fails(FAULT_SOCKET))

/* OPEN(name, parameters before the flags, their names): the mode is there only where a file may be made. */
#define OPEN(name, before, names)                                  \
    int name(UNPACK before, int flags, ...)                        \
    {                                                              \
        KEEP(name);                                                \
        va_list more;                                              \
        mode_t mode;                                               \
                                                                   \
        va_start(more, flags);                                     \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                              \
        return fails(FAULT_OPEN) ? -1 : NEXT(name)(UNPACK names, flags, mode); \
    }
#define UNPACK(...) __VA_ARGS__

OPEN(open, (const char *path), (path))
OPEN(open64, (const char *path), (path))
OPEN(openat, (int folder, const char *path), (folder, path))
OPEN(openat64, (int folder, const char *path), (folder, path))

/* ---------------------------------------------------------------- the wall clock */
static int64_t step_s(void)
{
    return control ? control->step_s : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    KEEP(clock_gettime);
    int rc = NEXT(clock_gettime)(clock, ret);

    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += step_s();
    return rc;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    KEEP(gettimeofday);
    int rc = NEXT(gettimeofday)(ret, zone);

    if (rc == 0)
        ret->tv_sec += step_s();
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
