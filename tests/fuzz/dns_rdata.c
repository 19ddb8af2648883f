/* Fuzzes vmta/dns_rdata.c: what a name server says. A host that is taken is a canonical name. */
#include <assert.h>

#include "dns_rdata.h"
#include "domain.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    char canonical[DOMAIN_MAX];
    struct inet_addr addr;
    struct dns_mx mx;

    if (dns_rdata_mx(in, &mx) && mx.host[0]) {
        assert(domain_canonical(slice_of(mx.host), canonical));
        assert(strcmp(canonical, mx.host) == 0);
    }
    if (dns_rdata_addr(in, 4, &addr))
        assert(addr.family == 4 && size == 4);
    if (dns_rdata_addr(in, 6, &addr))
        assert((addr.family == 6 || addr.family == 4) && size == 16);
    return 0;
}
