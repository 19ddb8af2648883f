/* network.c: see network.h. */
#include "network.h"

#include <errno.h>
#include <netdb.h>
#include <unistd.h>

#include "finding.h"

/* 0, or the errno value of binding a socket to the address. */
static int try_address(const struct inet_addr *a)
{
    struct inet_endpoint e = { .addr = *a };
    struct sockaddr_storage ss;
    socklen_t size = inet_to_sockaddr(&e, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), failed = 0;

    if (fd < 0)
        return errno;
    if (bind(fd, (struct sockaddr *)&ss, size) < 0)
        failed = errno;
    close(fd);
    return failed;
}

static void try_sources(const struct conf_vmta *v, struct conf_findings *f)
{
    for (int i = 0; i < v->source_count; i++) {
        int e = try_address(&v->sources[i]);
        char text[INET_TEXT];

        inet_addr_text(&v->sources[i], text);
        if (e)
            finding_error(f, &v->at, "%s: this machine cannot send from %s: %s", v->name, text, strerror(e));
    }
}

static bool is_source(const struct conf_vmta *v, const struct sockaddr *sa)
{
    struct inet_endpoint e = inet_from_sockaddr(sa);

    for (int i = 0; i < v->source_count; i++)
        if (inet_addr_eq(&v->sources[i], &e.addr))
            return true;
    return false;
}

/* Receivers look the EHLO name up, and like to find the address that they see (RFC 5321 4.1.4). */
static void try_name(const struct conf_vmta *v, struct conf_findings *f)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    int rc = getaddrinfo(v->hostname, NULL, &hints, &list);
    bool found = false;

    if (rc) {
        finding_warning(f, &v->at, "%s: the name %s cannot be found: %s", v->name, v->hostname, gai_strerror(rc));
        return;
    }
    for (const struct addrinfo *a = list; a && !found; a = a->ai_next)
        found = is_source(v, a->ai_addr);
    freeaddrinfo(list);
    if (!found)
        finding_warning(f, &v->at, "%s: the name %s leads to none of its source addresses", v->name, v->hostname);
}

void network_try(const struct conf *c, struct conf_findings *findings)
{
    for (int i = 0; i < c->vmta_count; i++) {
        try_sources(&c->vmtas[i], findings);
        if (i < NETWORK_NAMES_MAX)
            try_name(&c->vmtas[i], findings);
    }
}
