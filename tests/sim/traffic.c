/* traffic.c: see traffic.h. */
#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "policy.h"

enum {
    CONFS = 256,
    RELOAD_MS = 1000,       /* so long the configuration before may still speak */
    OPENED_MS = 60 * 1000,  /* a connection is opened so long before its first transaction at most */
    UNDER_WAY_MS = 250,     /* between the moment at which a rate is taken and MAIL on the wire: a body is read from the disk */
};

struct traffic {
    struct world *world;
    struct sent **list;
    struct sent **sorted;
    int count, room;
    struct {
        struct conf *conf;
        int64_t since_ms;
    } confs[CONFS];
    int conf_count;
};

struct traffic *traffic_new(struct world *w)
{
    struct traffic *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->world = w;
    return t;
}

void traffic_free(struct traffic *t)
{
    for (int i = 0; i < t->count; i++)
        free(t->list[i]);
    for (int i = 0; i < t->conf_count; i++)
        conf_unref(t->confs[i].conf);
    free(t->list);
    free(t->sorted);
    free(t);
}

void traffic_conf(struct traffic *t, struct conf *conf)
{
    if (t->conf_count > 0 && t->confs[t->conf_count - 1].conf == conf)
        return;
    if (t->conf_count == CONFS)
        abort();
    t->confs[t->conf_count].conf = conf_ref(conf);
    t->confs[t->conf_count++].since_ms = t->world->now.mono_ms;
}

static struct conf *conf_at(const struct traffic *t, int64_t ms)
{
    int i = t->conf_count - 1;

    while (i > 0 && t->confs[i].since_ms > ms)
        i--;
    return t->confs[i].conf;
}

/* ---------------------------------------------------------------- what is noted */
static const struct conf_vmta *vmta_with(const struct conf *c, const struct inet_addr *source)
{
    for (int i = 0; i < c->vmta_count; i++)
        for (int k = 0; k < c->vmtas[i].source_count; k++)
            if (inet_addr_eq(&c->vmtas[i].sources[k], source))
                return &c->vmtas[i];
    return NULL;
}

static const struct conf_tenant *tenant_with(const struct conf *c, const char *domain)
{
    for (int i = 0; i < c->tenant_count; i++)
        if (tenant_may_send_as(&c->tenants[i], slice_of(domain)))
            return &c->tenants[i];
    return NULL;
}

int traffic_begin(struct traffic *t, const struct sent *known, const char *sender_domain)
{
    struct sent *s = calloc(1, sizeof *s);

    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->list = realloc(t->list, (size_t)t->room * sizeof *t->list);
    }
    if (!s || !t->list)
        abort();
    *s = *known;
    s->until_ms = s->next_ms = NEVER_MS;
    s->before = conf_at(t, s->at_ms - RELOAD_MS);
    s->conf = conf_at(t, s->at_ms);
    s->tenant = tenant_with(s->conf, sender_domain);
    s->vmta = vmta_with(s->conf, &s->source);
    if (s->before_it >= 0)
        t->list[s->before_it]->next_ms = s->at_ms;
    t->list[t->count] = s;
    return t->count++;
}

struct sent *traffic_at(struct traffic *t, int number)
{
    return t->list[number];
}

void traffic_rcpt(struct traffic *t, int number, const char *domain)
{
    struct sent *s = t->list[number];
    int i = 0;

    s->rcpts++;
    while (i < s->domain_count && strcmp(s->domains[i].name, domain) != 0)
        i++;
    if (i == SENT_DOMAINS)
        abort();
    if (i == s->domain_count) {
        snprintf(s->domains[i].name, sizeof s->domains[i].name, "%s", domain);
        s->domain_count++;
    }
    s->domains[i].rcpts++;
}

static int by_time(const void *a, const void *b)
{
    const struct sent *x = *(struct sent *const *)a, *y = *(struct sent *const *)b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->connection < y->connection ? -1 : x->connection > y->connection;
}

int traffic_sorted(struct traffic *t, struct sent *const **ret)
{
    struct sent **sorted = realloc(t->sorted, (size_t)(t->count + 1) * sizeof *sorted);

    if (!sorted)
        abort();
    t->sorted = sorted;
    if (t->count)
        memcpy(sorted, t->list, (size_t)t->count * sizeof *sorted);
    qsort(sorted, (size_t)t->count, sizeof *sorted, by_time);
    *ret = sorted;
    return t->count;
}

/* ---------------------------------------------------------------- rates */
/* What went out in any span of time, counted here again from the definition: N/[K]unit, evenly spaced, with a burst of one second's
 * worth, at least one. */
struct spans {
    struct span {
        const struct sent *sent;
        struct rate rate; /* in force for it */
        int n;
    } *list;
    int count, room;
};

static double burst_of(struct rate r)
{
    double second = (double)r.count * 1000 / (double)r.per_ms;

    return second < 1 ? 1 : second;
}

static struct rate higher(struct rate a, struct rate b)
{
    if (rate_is_unlimited(a) || rate_is_unlimited(b))
        return (struct rate){ 0, 0 };
    return (double)a.count / (double)a.per_ms > (double)b.count / (double)b.per_ms ? a : b;
}

/* One more transaction with n recipients: all spans that end with it. In a span that saw the rate change the highest one counts: what
 * left in time under the one before is no debt of the next. */
static void spans_add(struct world *w, struct spans *g, struct rate now, int n, const struct sent *s, const char *what, const char *name)
{
    struct rate r = now;
    int64_t early_ms = s->early_ms; /* what comes last may have been taken first, where a reply to RSET was awaited */
    double sum = 0;

    if (rate_is_unlimited(now)) {
        g->count = 0;
        return;
    }
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->list = realloc(g->list, (size_t)g->room * sizeof *g->list);
        if (!g->list)
            abort();
    }
    g->list[g->count++] = (struct span){ s, now, n };
    for (int i = g->count - 1; i >= 0; i--) {
        const struct span *first = &g->list[i];
        double ms;

        if (first->sent->early_ms < early_ms)
            early_ms = first->sent->early_ms;
        ms = (double)(s->at_ms - early_ms + UNDER_WAY_MS);
        r = higher(r, first->rate);
        sum += first->n;
        if (sum > burst_of(r) + (double)r.count / (double)r.per_ms * ms + 1e-6)
            world_broken(w, "%s %s: %.0f recipients from %.3f (connection %llu) to %.3f (%llu), where %lld/%lld ms are allowed", what, name, sum,
                         (double)(first->sent->at_ms - w->began_ms) / 1000, (unsigned long long)first->sent->connection,
                         (double)(s->at_ms - w->began_ms) / 1000, (unsigned long long)s->connection,
                         (long long)r.count, (long long)r.per_ms);
    }
}

enum { OF_TENANT, OF_VMTA };

static struct rate party_rate(const struct sent *s, int what)
{
    const struct conf_tenant *t = conf_tenant(s->before, slice_of(s->tenant->name));
    const struct conf_vmta *v = conf_vmta(s->before, slice_of(s->vmta->name));

    if (what == OF_TENANT)
        return t ? higher(t->max_message_rate, s->tenant->max_message_rate) : (struct rate){ 0, 0 };
    return v ? higher(v->total_max_message_rate, s->vmta->total_max_message_rate) : (struct rate){ 0, 0 };
}

static bool same_party(const struct sent *a, const struct sent *b, int what)
{
    return a->life == b->life && strcmp(what == OF_TENANT ? a->tenant->name : a->vmta->name,
                                        what == OF_TENANT ? b->tenant->name : b->vmta->name) == 0;
}

static bool counts(const struct sent *s)
{
    return s->tenant && s->vmta && !s->lied;
}

/* Whether none before it is of the same party and life: it stands for all of them. */
static bool is_first_of_party(struct sent *const *all, int i, int what)
{
    for (int k = 0; k < i; k++)
        if (counts(all[k]) && same_party(all[k], all[i], what))
            return false;
    return true;
}

static void audit_party_rates(struct traffic *t, struct sent *const *all, int n, int what)
{
    for (int i = 0; i < n; i++) {
        struct spans g = { 0 };

        if (!counts(all[i]) || !is_first_of_party(all, i, what))
            continue;
        for (int k = i; k < n; k++)
            if (counts(all[k]) && same_party(all[k], all[i], what))
                spans_add(t->world, &g, party_rate(all[k], what), all[k]->rcpts, all[k], what == OF_TENANT ? "tenant" : "VMTA",
                          what == OF_TENANT ? all[i]->tenant->name : all[i]->vmta->name);
        free(g.list);
    }
}

/* ---------------------------------------------------------------- paths: (source address, site) */
static const struct setting_value *setting_of(const struct sent *s, bool before, const char *domain, enum setting key)
{
    const struct conf *c = before ? s->before : s->conf;
    const struct conf_tenant *t = conf_tenant(c, slice_of(s->tenant->name));
    const struct conf_vmta *v = conf_vmta(c, slice_of(s->vmta->name));
    struct policy p;

    if (!t || !v)
        return NULL;
    policy_resolve(c, t, v, slice_of(domain), &p);
    return p.value[key];
}

static struct rate path_rate(const struct sent *s, const char *domain)
{
    const struct setting_value *a = setting_of(s, true, domain, SET_MAX_MESSAGE_RATE), *b = setting_of(s, false, domain, SET_MAX_MESSAGE_RATE);

    return a && b ? higher(a->rate, b->rate) : (struct rate){ 0, 0 };
}

static int rcpts_at(const struct sent *s, const char *domain)
{
    for (int i = 0; i < s->domain_count; i++)
        if (strcmp(s->domains[i].name, domain) == 0)
            return s->domains[i].rcpts;
    return 0;
}

static bool same_path(const struct sent *a, const struct sent *b)
{
    return a->life == b->life && a->site == b->site && inet_addr_eq(&a->source, &b->source);
}

static bool is_first_on_path(struct sent *const *all, int i, const char *domain)
{
    for (int k = 0; k < i; k++)
        if (counts(all[k]) && same_path(all[k], all[i]) && rcpts_at(all[k], domain))
            return false;
    return true;
}

static void audit_path_rate(struct traffic *t, struct sent *const *all, int n, int i, const char *domain)
{
    struct spans g = { 0 };

    if (rate_is_unlimited(path_rate(all[i], domain)) || !is_first_on_path(all, i, domain))
        return;
    for (int k = i; k < n; k++)
        if (counts(all[k]) && same_path(all[k], all[i]) && rcpts_at(all[k], domain))
            spans_add(t->world, &g, path_rate(all[k], domain), rcpts_at(all[k], domain), all[k], "path to", domain);
    free(g.list);
}

/* ---------------------------------------------------------------- counts */
static int64_t most(const struct sent *s, const char *domain, enum setting key)
{
    const struct setting_value *a = setting_of(s, true, domain, key), *b = setting_of(s, false, domain, key);

    if (!a || !b)
        return INT64_MAX;
    return a->number > b->number ? a->number : b->number;
}

static void audit_recipients(struct traffic *t, const struct sent *s)
{
    for (int d = 0; d < s->domain_count; d++)
        if (s->rcpts > most(s, s->domains[d].name, SET_MAX_RECIPIENTS_PER_MESSAGE))
            world_broken(t->world, "%d recipients in one transaction for %s", s->rcpts, s->domains[d].name);
}

/* How many the connection carried up to this one, itself included: no domain that was on it allows fewer. It keeps to what was in
 * force when it was opened: one that saw a reload is not judged. */
static void audit_connection(struct traffic *t, const struct sent *s)
{
    int64_t allowed = 0;
    int carried = 0;

    for (const struct sent *x = s;; x = t->list[x->before_it]) {
        carried++;
        if (conf_at(t, x->at_ms - OPENED_MS) != s->conf)
            return;
        for (int d = 0; d < x->domain_count; d++)
            if (counts(x) && most(x, x->domains[d].name, SET_MAX_MESSAGES_PER_CONNECTION) > allowed)
                allowed = most(x, x->domains[d].name, SET_MAX_MESSAGES_PER_CONNECTION);
        if (x->lied || !counts(x) || x->domain_count == 0)
            return;
        if (x->before_it < 0)
            break;
    }
    if (carried > allowed)
        world_broken(t->world, "the connection that began a message for %s at %.3f carries %d, %lld are allowed", s->domains[0].name,
                     (double)(s->at_ms - t->world->began_ms) / 1000, carried, (long long)allowed);
}

/* x was under way on another connection when `now` began. */
static bool is_beside(const struct sent *x, const struct sent *now)
{
    return counts(x) && x->taken > 0 && same_party(x, now, OF_TENANT) && x->connection != now->connection && x->until_ms > now->at_ms &&
           x->next_ms > now->at_ms;
}

/* Transactions of one tenant that were under way at the moment when this one began. */
static void audit_tenant(struct traffic *t, struct sent *const *all, int i)
{
    const struct conf_tenant *before = conf_tenant(all[i]->before, slice_of(all[i]->tenant->name));
    int64_t allowed = all[i]->tenant->max_connections;
    int busy = 1;

    if (!before || before->max_connections == INT64_MAX || allowed == INT64_MAX)
        return;
    allowed = before->max_connections > allowed ? before->max_connections : allowed;
    for (int k = 0; k < i; k++)
        busy += is_beside(all[k], all[i]);
    if (busy <= allowed)
        return;
    for (int k = 0; k < i; k++)
        if (is_beside(all[k], all[i]))
            world_tell(t->world, "connection %llu is busy from %.3f to %.3f, for %s", (unsigned long long)all[k]->connection,
                       (double)(all[k]->at_ms - t->world->began_ms) / 1000, (double)(all[k]->until_ms - t->world->began_ms) / 1000,
                       all[k]->domains[0].name);
    world_broken(t->world, "%d connections of tenant %s at work at %.3f (%llu), %lld are allowed", busy, all[i]->tenant->name,
                 (double)(all[i]->at_ms - t->world->began_ms) / 1000, (unsigned long long)all[i]->connection, (long long)allowed);
}

void traffic_audit(struct traffic *t)
{
    struct sent *const *all;
    int n = traffic_sorted(t, &all);

    audit_party_rates(t, all, n, OF_TENANT);
    audit_party_rates(t, all, n, OF_VMTA);
    for (int i = 0; i < n; i++) {
        if (!counts(all[i]))
            continue;
        audit_recipients(t, all[i]);
        audit_connection(t, all[i]);
        audit_tenant(t, all, i);
        for (int d = 0; d < all[i]->domain_count; d++)
            audit_path_rate(t, all, n, i, all[i]->domains[d].name);
    }
}
