/* Plays the files that are named, or lie in the folders that are named, through a fuzzer once each: for compilers without libFuzzer, as
 * a test of what was found before. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "input.h"

static int played;

static void play_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *bytes;

    if (!f || fstat(fileno(f), &st) < 0) {
        perror(path);
        exit(1);
    }
    bytes = malloc((size_t)st.st_size + 1); /* of its very size, so that a byte too far is seen */
    if (!bytes || fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        exit(1);
    fclose(f);
    bytes = realloc(bytes, st.st_size ? (size_t)st.st_size : 1);
    LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
    free(bytes);
    played++;
}

static void play(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    char file[4096];

    if (n < 0) {
        play_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
            play_file(file);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        play(argv[i]);
    printf("%d inputs played\n", played);
    return played ? 0 : 1;
}
