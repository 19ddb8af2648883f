/* dns_rdata.h: the data of DNS records as they come in an answer, judged as hostile input.
 * Pure; called by resolver_uv.c and fuzzed. Names are in wire form (RFC 1035 3.1), uncompressed. */
#ifndef FL_DNS_RDATA_H
#define FL_DNS_RDATA_H

#include <stdbool.h>

#include "resolver.h"

enum { DNS_TYPE_A = 1, DNS_TYPE_MX = 15, DNS_TYPE_AAAA = 28 };

/* An MX record (RFC 1035 3.3.9; the root as host: RFC 7505). False when malformed, or its host is no host name. */
bool dns_rdata_mx(struct slice rdata, struct dns_mx *ret);
/* An A (family 4) or AAAA (family 6) record. An IPv4-mapped address (::ffff:192.0.2.1) becomes the IPv4 that it means. */
bool dns_rdata_addr(struct slice rdata, uint8_t family, struct inet_addr *ret);

#endif
