/* disk_probe.c: what the disk itself takes for a durable write: write and fdatasync of a preallocated file, one after the other, for
 * so many seconds. Prints one JSON object. usage: disk_probe FOLDER [SIZE [SECONDS]] */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WRITES_MAX = 1000000, FILE_OCTETS = 64 << 20, SIZE_MAX_OCTETS = 1 << 20 };

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* How many writes it made, or -1. */
static long probe(int fd, const char *block, size_t size, double seconds, uint32_t *took_us)
{
    int64_t end = now_us() + (int64_t)(seconds * 1e6);
    off_t at = 0;
    long n = 0;

    while (n < WRITES_MAX && now_us() < end) {
        int64_t began = now_us();

        if (pwrite(fd, block, size, at) != (ssize_t)size || fdatasync(fd) < 0)
            return -1;
        took_us[n++] = (uint32_t)(now_us() - began);
        at = (at + (off_t)size) % (FILE_OCTETS - SIZE_MAX_OCTETS);
    }
    return n;
}

static void print(uint32_t *took_us, long n, double seconds)
{
    qsort(took_us, (size_t)n, sizeof *took_us, compare);
    printf("{\"writes\":%ld,\"per_second\":%.1f,\"ms\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}}\n", n, (double)n / seconds,
           took_us[n / 2] / 1000.0, took_us[n * 99 / 100] / 1000.0, took_us[n * 999 / 1000] / 1000.0, took_us[n - 1] / 1000.0);
}

int main(int argc, char **argv)
{
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096;
    double seconds = argc > 3 ? atof(argv[3]) : 2;
    uint32_t *took_us = calloc(WRITES_MAX, sizeof *took_us);
    char *block = calloc(1, SIZE_MAX_OCTETS), name[4096];
    long n = -1;
    int fd;

    if (argc < 2 || size < 1 || size > SIZE_MAX_OCTETS || seconds <= 0 || !took_us || !block) {
        fprintf(stderr, "usage: disk_probe FOLDER [SIZE [SECONDS]]\n");
        return 2;
    }
    snprintf(name, sizeof name, "%s/probe", argv[1]);
    fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 && posix_fallocate(fd, 0, FILE_OCTETS) == 0 && fsync(fd) == 0)
        n = probe(fd, block, size, seconds, took_us);
    if (n > 0)
        print(took_us, n, seconds);
    else
        perror(name);
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    free(took_us);
    free(block);
    return n > 0 ? 0 : 1;
}
