/* Fuzzes vmta/mail/address.c: whatever is accepted keeps its bytes, is accepted again, and has one stable key. */
#include <assert.h>

#include "address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct slice arg, bool utf8_allowed, bool null_allowed)
{
    struct address a, b;
    struct slice rest;
    char key[ADDRESS_TEXT], again[ADDRESS_TEXT];

    if (address_parse_path(arg, utf8_allowed, null_allowed, &a, &rest) != ADDRESS_OK)
        return;
    assert(a.text.n <= ADDRESS_MAX && a.local.n <= ADDRESS_LOCAL_MAX);
    assert(utf8_allowed || address_is_ascii(&a));
    address_key(&a, key);
    address_ascii_domain(&a, again);
    if (a.kind == ADDRESS_NULL || a.kind == ADDRESS_POSTMASTER)
        return;
    assert(address_parse(a.text, utf8_allowed, &b) == ADDRESS_OK && address_eq(&a, &b));
    assert(address_parse(slice_of(key), true, &b) == ADDRESS_OK);
    address_key(&b, again);
    assert(strcmp(key, again) == 0);
    assert(address_matches(&a, SLICE("*")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice arg = slice_make(data, size);

    for (int i = 0; i < 4; i++)
        check_path(arg, i & 1, i & 2);
    return 0;
}
