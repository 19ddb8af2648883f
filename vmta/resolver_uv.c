/* resolver_uv.c: see resolver_uv.h and resolver.h: queries, their order, their time, and the answers put together. */
#include "resolver_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unbound.h>

#include "domain.h"
#include "resolver_backend_uv.h"

enum {
    RESOLVER_UNDER_WAY_MAX = 100,  /* questions: libunbound hands out all answers in one go, which stalls the loop */
    RESOLVER_FAMILIES = 2,
    RESOLVER_TEXT = 160,
    RESOLVER_NEGATIVE_TTL_MS = 60 * 1000, /* of an answer that says nothing itself (no SOA: RFC 2308 5) */
    RESOLVER_HOSTS_TTL_MS = 60 * 1000,
};

/*  WAITING --> UNDER_WAY --> ANSWERED --> freed after done        cancel: any --> freed */
enum query_state { QUERY_WAITING, QUERY_UNDER_WAY, QUERY_ANSWERED };

/* What one question brought. */
struct reply {
    enum dns_result result;
    bool secure;
    int64_t ttl_ms;
    struct inet_addr *addrs; /* allocated */
    struct dns_mx *mx;       /* allocated */
    int count;
    char text[RESOLVER_TEXT];
};

struct resolver_query {
    struct resolver *resolver;
    TAILQ_ENTRY(resolver_query) link;
    enum query_state state;
    struct timer timer;
    void (*mx_done)(void *arg, const struct dns_mx_answer *a);     /* one of the two */
    void (*addr_done)(void *arg, const struct dns_addr_answer *a);
    void *arg;
    struct resolver_lookup lookups[RESOLVER_FAMILIES]; /* one for MX; one a family for addresses */
    struct reply replies[RESOLVER_FAMILIES];
    int count, open;
    char name[DOMAIN_MAX];
};

TAILQ_HEAD(query_list, resolver_query);

struct resolver {
    uv_loop_t *uv;
    struct timers *timers;
    struct conf *conf;
    struct resolver_backend *backend;
    struct query_list waiting, under_way, answered;
    int questions; /* under way */
};

/* ---------------------------------------------------------------- from state to state */
static struct query_list *list_of(struct resolver_query *q)
{
    struct resolver *r = q->resolver;
    struct query_list *lists[] = { &r->waiting, &r->under_way, &r->answered };

    return lists[q->state];
}

static void query_move(struct resolver_query *q, enum query_state to)
{
    TAILQ_REMOVE(list_of(q), q, link);
    q->state = to;
    TAILQ_INSERT_TAIL(list_of(q), q, link);
}

static void query_free(struct resolver_query *q)
{
    TAILQ_REMOVE(list_of(q), q, link);
    timer_stop(q->resolver->timers, &q->timer);
    for (int i = 0; i < q->count; i++) {
        if (q->lookups[i].backend)
            q->resolver->questions--;
        resolver_backend_cancel(&q->lookups[i]);
        free(q->replies[i].addrs);
        free(q->replies[i].mx);
    }
    free(q);
}

static void set_timer(struct resolver_query *q, int64_t ms)
{
    if (timer_set(q->resolver->timers, &q->timer, (int64_t)uv_now(q->resolver->uv) + ms) < 0)
        query_move(q, QUERY_ANSWERED); /* without memory for a time limit: what there is goes out with the next answers */
}

/* ---------------------------------------------------------------- one answer, judged */
static void fail(struct reply *a, enum dns_result result, const char *text)
{
    a->result = result;
    snprintf(a->text, sizeof a->text, "%s", text);
}

/* A bogus answer has data too: looked at first. */
static bool judge_failure(struct reply *a, int err, const struct ub_result *r)
{
    static const char *const rcodes[] = { [1] = "FORMERR", [2] = "SERVFAIL", [4] = "NOTIMP", [5] = "REFUSED" };

    if (err != 0 || !r) {
        fail(a, DNS_FAILED, err ? ub_strerror(err) : "no answer");
        return true;
    }
    if (r->bogus) {
        fail(a, DNS_FAILED, "the answer fails DNSSEC validation");
        return true;
    }
    a->secure = r->secure;
    a->ttl_ms = (int64_t)r->ttl * SECOND_MS;
    if (r->rcode == 0 || r->nxdomain)
        return false;
    if (r->rcode > 0 && (size_t)r->rcode < sizeof rcodes / sizeof rcodes[0] && rcodes[r->rcode])
        snprintf(a->text, sizeof a->text, "%s from the name server", rcodes[r->rcode]);
    else
        snprintf(a->text, sizeof a->text, "error %d from the name server", r->rcode);
    a->result = DNS_FAILED;
    return true;
}

static int take_mx(struct reply *a, const struct ub_result *r)
{
    a->mx = calloc(DNS_MX_MAX, sizeof *a->mx);
    for (int i = 0; a->mx && r->data[i] && a->count < DNS_MX_MAX; i++)
        if (dns_rdata_mx(slice_make(r->data[i], (size_t)r->len[i]), &a->mx[a->count]))
            a->count++;
    return a->mx ? 0 : FL_ENOMEM;
}

static int take_addrs(struct reply *a, const struct ub_result *r, uint8_t family)
{
    a->addrs = calloc(DNS_ADDR_MAX, sizeof *a->addrs);
    for (int i = 0; a->addrs && r->data[i] && a->count < DNS_ADDR_MAX; i++)
        if (dns_rdata_addr(slice_make(r->data[i], (size_t)r->len[i]), family, &a->addrs[a->count]))
            a->count++;
    return a->addrs ? 0 : FL_ENOMEM;
}

static uint8_t family_of(int type)
{
    return type == DNS_TYPE_AAAA ? 6 : 4;
}

static void judge(struct reply *a, int type, int err, const struct ub_result *r)
{
    int rc;

    if (judge_failure(a, err, r))
        return;
    if (r->nxdomain || !r->havedata) {
        fail(a, r->nxdomain ? DNS_NXDOMAIN : DNS_NODATA, r->nxdomain ? "the domain does not exist" : "there is no such record");
        if (a->ttl_ms <= 0)
            a->ttl_ms = RESOLVER_NEGATIVE_TTL_MS;
        return;
    }
    rc = type == DNS_TYPE_MX ? take_mx(a, r) : take_addrs(a, r, family_of(type));
    if (rc < 0)
        fail(a, DNS_FAILED, "out of memory");
    else if (a->count == 0)
        fail(a, DNS_FAILED, "the records are malformed");
    else
        a->result = DNS_OK;
}

/* ---------------------------------------------------------------- the answers of a query, put together */
static void deliver_mx(struct resolver_query *q)
{
    const struct reply *r = &q->replies[0];
    const struct dns_mx_answer a = { .result = r->result, .secure = r->secure, .ttl_ms = r->ttl_ms, .mx = r->mx,
                                     .count = r->count, .text = r->text };

    q->mx_done(q->arg, &a);
}

/* With several families: what tells least about the name counts, so that a passing failure is not taken for a final answer. */
static const struct reply *worst_of(const struct resolver_query *q)
{
    static const int badness[] = { [DNS_OK] = 0, [DNS_NODATA] = 1, [DNS_NXDOMAIN] = 2, [DNS_FAILED] = 3, [DNS_TIMEOUT] = 4 };
    const struct reply *worst = &q->replies[0];

    for (int i = 1; i < q->count; i++)
        if (badness[q->replies[i].result] > badness[worst->result])
            worst = &q->replies[i];
    return worst;
}

static void deliver_addr(struct resolver_query *q)
{
    const struct reply *worst = worst_of(q);
    struct inet_addr addrs[RESOLVER_FAMILIES * DNS_ADDR_MAX];
    struct dns_addr_answer a = { .result = worst->result, .secure = worst->secure, .ttl_ms = worst->ttl_ms, .addrs = addrs,
                                 .text = worst->text };

    for (int i = 0; i < q->count; i++) {
        const struct reply *r = &q->replies[i];

        if (r->result != DNS_OK)
            continue;
        if (a.count == 0 || r->ttl_ms < a.ttl_ms)
            a.ttl_ms = r->ttl_ms;
        a.secure = a.count == 0 ? r->secure : a.secure && r->secure;
        a.result = DNS_OK;
        a.text = "";
        for (int k = 0; k < r->count && a.count < DNS_ADDR_MAX; k++)
            addrs[a.count++] = r->addrs[k];
    }
    q->addr_done(q->arg, &a);
}

static void deliver(struct resolver_query *q)
{
    if (q->mx_done)
        deliver_mx(q);
    else
        deliver_addr(q);
}

/* ---------------------------------------------------------------- asking */
static void on_lookup(struct resolver_lookup *l, int err, struct ub_result *result)
{
    struct resolver_query *q = l->arg;

    q->resolver->questions--;
    judge(&q->replies[l - q->lookups], l->type, err, result);
    ub_resolve_free(result);
    if (--q->open == 0)
        query_move(q, QUERY_ANSWERED);
}

static void start(struct resolver_query *q)
{
    struct resolver *r = q->resolver;

    query_move(q, QUERY_UNDER_WAY);
    for (int i = 0; i < q->count; i++) {
        fail(&q->replies[i], DNS_TIMEOUT, "no answer from the name server in time"); /* until there is one */
        if (resolver_backend_ask(r->backend, &q->lookups[i], q->name) < 0) {
            fail(&q->replies[i], DNS_FAILED, "the question cannot be asked");
            continue;
        }
        r->questions++;
        q->open++;
    }
    set_timer(q, q->open > 0 ? r->conf->dns.timeout_ms : 0);
}

static void start_waiting(struct resolver *r)
{
    struct resolver_query *q;

    while ((q = TAILQ_FIRST(&r->waiting)) && r->questions + q->count <= RESOLVER_UNDER_WAY_MAX)
        start(q);
}

/* The done of one query may cancel others, or ask anew: each time from the front. */
static void hand_out(void *arg)
{
    struct resolver *r = arg;
    struct resolver_query *q;

    while ((q = TAILQ_FIRST(&r->answered))) {
        deliver(q);
        query_free(q);
    }
    start_waiting(r);
}

/* Time is up; or the answer was there from the beginning. */
static void on_timer(void *arg)
{
    struct resolver_query *q = arg;

    if (q->state != QUERY_ANSWERED)
        query_move(q, QUERY_ANSWERED);
    hand_out(q->resolver);
}

/* ---------------------------------------------------------------- queries */
static struct resolver_query *query_new(struct resolver *r, struct slice name, void *arg)
{
    struct resolver_query *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    q->resolver = r;
    q->arg = arg;
    timer_init(&q->timer, on_timer, q);
    if (!domain_canonical(name, q->name))
        q->name[0] = 0;
    q->state = QUERY_WAITING;
    TAILQ_INSERT_TAIL(&r->waiting, q, link);
    return q;
}

static void add_lookup(struct resolver_query *q, int type)
{
    q->lookups[q->count++] = (struct resolver_lookup){ .type = type, .answered = on_lookup, .arg = q };
}

/* An answer without a question: it comes from the timer, never inside the call. */
static struct resolver_query *answer_now(struct resolver_query *q)
{
    query_move(q, QUERY_UNDER_WAY);
    set_timer(q, 0);
    return q;
}

static struct resolver_query *begin(struct resolver_query *q)
{
    if (!q->name[0]) {
        fail(&q->replies[0], DNS_FAILED, "this is no domain name");
        q->count = 1;
        return answer_now(q);
    }
    start_waiting(q->resolver);
    return q;
}

struct resolver_query *resolver_mx(struct resolver *r, struct slice domain,
                                   void (*done)(void *arg, const struct dns_mx_answer *a), void *arg)
{
    struct resolver_query *q = query_new(r, domain, arg);

    if (!q)
        return NULL;
    q->mx_done = done;
    add_lookup(q, DNS_TYPE_MX);
    if (conf_host(r->conf, slice_of(q->name))) { /* looked at first: what it names is asked nobody for */
        fail(&q->replies[0], DNS_NODATA, "dns.hosts names its addresses");
        q->replies[0].ttl_ms = RESOLVER_HOSTS_TTL_MS;
        return answer_now(q);
    }
    return begin(q);
}

/* dns.hosts speaks for all families: what it does not name does not exist. */
static struct resolver_query *answer_from_hosts(struct resolver_query *q, const struct conf_host *host)
{
    for (int i = 0; i < q->count; i++) {
        struct reply *a = &q->replies[i];

        fail(a, DNS_NODATA, "dns.hosts has no address of this family");
        a->ttl_ms = RESOLVER_HOSTS_TTL_MS;
        a->addrs = calloc(DNS_ADDR_MAX, sizeof *a->addrs);
        for (int k = 0; a->addrs && k < host->addr_count && a->count < DNS_ADDR_MAX; k++)
            if (host->addrs[k].family == family_of(q->lookups[i].type))
                a->addrs[a->count++] = host->addrs[k];
        if (a->count > 0)
            a->result = DNS_OK;
    }
    return answer_now(q);
}

struct resolver_query *resolver_addr(struct resolver *r, struct slice host, const uint8_t families[2],
                                     void (*done)(void *arg, const struct dns_addr_answer *a), void *arg)
{
    struct resolver_query *q = query_new(r, host, arg);
    const struct conf_host *known;

    if (!q)
        return NULL;
    q->addr_done = done;
    for (int i = 0; i < RESOLVER_FAMILIES; i++)
        if (families[i])
            add_lookup(q, families[i] == 6 ? DNS_TYPE_AAAA : DNS_TYPE_A);
    if (q->count == 0) {
        add_lookup(q, DNS_TYPE_A);
        fail(&q->replies[0], DNS_NODATA, "no address family is allowed");
        return answer_now(q);
    }
    known = conf_host(r->conf, slice_of(q->name));
    return known ? answer_from_hosts(q, known) : begin(q);
}

void resolver_cancel(struct resolver_query *q)
{
    query_free(q);
}

/* ---------------------------------------------------------------- the resolver */
int resolver_new(uv_loop_t *uv, struct timers *timers, struct conf *conf, struct resolver **ret, struct fl_err *err)
{
    struct resolver *r = calloc(1, sizeof *r);
    int rc;

    if (!r)
        return fl_fail(err, FL_ENOMEM, "dns: out of memory");
    r->uv = uv;
    r->timers = timers;
    TAILQ_INIT(&r->waiting);
    TAILQ_INIT(&r->under_way);
    TAILQ_INIT(&r->answered);
    rc = resolver_set_conf(r, conf, err);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

static bool same_servers(const struct conf *a, const struct conf *b)
{
    if (!a || a->dns.server_count != b->dns.server_count || b->dns.server_count == 0)
        return false; /* /etc/resolv.conf is read anew */
    for (int i = 0; i < a->dns.server_count; i++)
        if (!inet_addr_eq(&a->dns.servers[i].addr, &b->dns.servers[i].addr) || a->dns.servers[i].port != b->dns.servers[i].port)
            return false;
    return true;
}

int resolver_set_conf(struct resolver *r, struct conf *conf, struct fl_err *err)
{
    struct conf *before = r->conf;

    if (!same_servers(before, conf)) {
        struct resolver_backend *backend;
        int rc = resolver_backend_new(r->uv, conf, hand_out, r, &backend, err);

        if (rc < 0)
            return rc;
        resolver_backend_retire(r->backend);
        r->backend = backend;
    }
    r->conf = conf_ref(conf);
    conf_unref(before);
    return 0;
}

void resolver_free(struct resolver *r)
{
    struct resolver_query *q;

    if (!r)
        return;
    while ((q = TAILQ_FIRST(&r->waiting)) || (q = TAILQ_FIRST(&r->under_way)) || (q = TAILQ_FIRST(&r->answered)))
        query_free(q);
    resolver_backend_retire(r->backend);
    conf_unref(r->conf);
    free(r);
}
