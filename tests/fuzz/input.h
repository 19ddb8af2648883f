/* input.h: how the fuzzers of cores with several arguments take one input apart: numbers byte by byte, texts of a length that one byte
 * says. What the input does not hold any more is 0 and the empty text. */
#ifndef FL_FUZZ_INPUT_H
#define FL_FUZZ_INPUT_H

#include <stdint.h>

#include "slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline uint8_t input_byte(struct slice *in)
{
    uint8_t b = in->n ? (uint8_t)in->p[0] : 0;

    *in = slice_skip(*in, 1);
    return b;
}

static inline struct slice input_text(struct slice *in)
{
    struct slice text = slice_head(slice_skip(*in, 1), input_byte(&(struct slice){ in->p, in->n }));

    *in = slice_skip(*in, 1 + text.n);
    return text;
}

/* Of any size: the bytes as they stand there. */
static inline int64_t input_number(struct slice *in)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | input_byte(in);
    return (int64_t)n;
}

#endif
