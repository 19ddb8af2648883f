/* inet.h: IP addresses, networks and endpoints as values, and the most specific network that holds an address.
 * Pure; any thread. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) become IPv4 when parsed, so that one peer has one address. */
#ifndef FL_INET_H
#define FL_INET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "slice.h"

struct inet_addr {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t b[16];  /* network order; 4 bytes used for IPv4, the rest zero, so that memcmp compares */
};

struct inet_net {
    struct inet_addr addr; /* host bits zero */
    uint8_t prefix;        /* bits */
};

struct inet_endpoint {
    struct inet_addr addr;
    uint16_t port; /* host order */
};

enum { INET_TEXT = 48, INET_ENDPOINT_TEXT = 56 };

/* "192.0.2.1", "2001:db8::1"; no brackets, no zone, no leading zeros in IPv4. */
bool inet_addr_parse(struct slice text, struct inet_addr *ret);
/* "192.0.2.0/24", "::1/128"; an address alone is a network of one. False when host bits are set or the prefix is too long. */
bool inet_net_parse(struct slice text, struct inet_net *ret);
/* "192.0.2.1:25", "[2001:db8::1]:25", "[192.0.2.1]:25". Port 1 … 65535. */
bool inet_endpoint_parse(struct slice text, struct inet_endpoint *ret);

/* Canonical text (RFC 5952 for IPv6). */
void inet_addr_text(const struct inet_addr *a, char ret[INET_TEXT]);
void inet_net_text(const struct inet_net *n, char ret[INET_ENDPOINT_TEXT]);
void inet_endpoint_text(const struct inet_endpoint *e, char ret[INET_ENDPOINT_TEXT]);
/* As RFC 5321 4.1.3 has it: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
void inet_literal_text(const struct inet_addr *a, char ret[INET_ENDPOINT_TEXT]);

bool inet_addr_eq(const struct inet_addr *a, const struct inet_addr *b);
/* The address with only its first `prefix` bits. */
struct inet_addr inet_masked(const struct inet_addr *a, int prefix);
bool inet_net_has(const struct inet_net *n, const struct inet_addr *a);
bool inet_is_loopback(const struct inet_addr *a);    /* 127.0.0.0/8, ::1 */
bool inet_is_unspecified(const struct inet_addr *a); /* 0.0.0.0/8, :: */
/* The i-th address of a network, counting from 0 (its own address included). */
struct inet_addr inet_net_nth(const struct inet_net *n, uint32_t i);
/* How many addresses it has, at most 2^32-1 (more is told as that). */
uint32_t inet_net_count(const struct inet_net *n);

/* Between this and the socket API; inet_from_sockaddr gives family 0 for what is not IP. */
struct inet_endpoint inet_from_sockaddr(const struct sockaddr *sa);
socklen_t inet_to_sockaddr(const struct inet_endpoint *e, struct sockaddr_storage *ret);

/* Networks → value, most specific first. Immutable once built; any number of readers. */
struct inet_table;
struct inet_table *inet_table_new(void); /* NULL without memory */
void inet_table_free(struct inet_table *t);
/* value is borrowed as long as the table lives. FL_EEXIST when the same network is in already. */
int inet_table_add(struct inet_table *t, const struct inet_net *net, void *value);
/* Calls visit for every network that holds a, from the most specific to the widest, until it returns false. */
void inet_table_visit(const struct inet_table *t, const struct inet_addr *a, bool (*visit)(void *arg, void *value), void *arg);
/* The value of the most specific network that holds a, or NULL. */
void *inet_table_find(const struct inet_table *t, const struct inet_addr *a);

#endif
