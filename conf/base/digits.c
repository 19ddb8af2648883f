/* digits.c: see digits.h. */
#include "digits.h"

#include <string.h>

char *digits_put(char *at, uint64_t v)
{
    char text[DIGITS_MAX];
    int n = DIGITS_MAX;

    do
        text[--n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    memcpy(at, text + n, (size_t)(DIGITS_MAX - n));
    return at + (DIGITS_MAX - n);
}

char *digits_put_padded(char *at, unsigned v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + width;
}
