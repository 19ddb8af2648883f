/* shares.c: see shares.h. */
#include "shares.h"

#include <stdlib.h>

#include "oracle.h"
#include "relay_parts.h"
#include "remote.h"
#include "traffic.h"

enum { TENANTS = 8 };

/* From at_ms on these tenants could go on this path: a bit for each, by its place in the configuration. */
struct look {
    int64_t at_ms;
    struct inet_addr source;
    int site;
    unsigned tenants;
};

struct shares {
    struct world *world;
    struct look *list;
    int count, room;
};

struct shares *shares_new(struct world *w)
{
    struct shares *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->world = w;
    return s;
}

void shares_free(struct shares *s)
{
    if (s)
        free(s->list);
    free(s);
}

static bool same_path(const struct look *a, const struct inet_addr *source, int site)
{
    return a->site == site && inet_addr_eq(&a->source, source);
}

static unsigned last_of(const struct shares *s, const struct inet_addr *source, int site)
{
    for (int i = s->count - 1; i >= 0; i--)
        if (same_path(&s->list[i], source, site))
            return s->list[i].tenants;
    return 0;
}

/* Lanes share a path by other rules as well: only those with one are looked at. */
static unsigned who_can_go(const struct world *w, const struct path *p)
{
    unsigned bits = 0;

    for (const struct share *sh = p->lane_count == 1 ? p->lanes->shares : NULL; sh; sh = sh->next_of_lane) {
        const struct conf_tenant *t = conf_tenant(w->conf, slice_of(sh->tenant->tenant->party.name));

        if (t && t->index < TENANTS && heap_has(&sh->node))
            bits |= 1u << t->index;
    }
    return bits;
}

void shares_look(struct shares *s)
{
    struct world *w = s->world;

    for (const struct path *p = w->relay->mta.sched.by_key; p; p = p->hh.next) {
        const struct site *site = p->key.site;
        const struct remote *r = site->target_count ? remote_at(w, &site->targets[0].addr) : NULL;
        unsigned bits = who_can_go(w, p);

        if (!r || last_of(s, &p->key.source, r->site) == bits)
            continue;
        if (s->count == s->room) {
            s->room = s->room ? 2 * s->room : 256;
            s->list = realloc(s->list, (size_t)s->room * sizeof *s->list);
            if (!s->list)
                abort();
        }
        s->list[s->count++] = (struct look){ w->now.mono_ms, p->key.source, r->site, bits };
    }
}

/* When two of them ceased to go together on the path, from look number i on, in which they did. */
static int64_t end_of_span(const struct shares *s, int i, unsigned both)
{
    for (int k = i + 1; k < s->count; k++)
        if (same_path(&s->list[k], &s->list[i].source, s->list[i].site) && (s->list[k].tenants & both) != both)
            return s->list[k].at_ms;
    return s->world->now.mono_ms;
}

static bool is_within(const struct sent *x, const struct look *l, int64_t until_ms)
{
    return x->tenant && !x->is_dsn && x->at_ms > l->at_ms && x->at_ms <= until_ms && same_path(l, &x->source, x->site);
}

static void audit_span(struct shares *s, const struct look *l, int64_t until_ms, int a, int b, double slack)
{
    const struct conf *c = s->world->conf;
    double shares[2] = { (double)c->tenants[a].share, (double)c->tenants[b].share }, served[2] = { 0, 0 }, more, less;
    struct sent *const *all;
    int n = traffic_sorted(s->world->traffic, &all);

    for (int i = 0; i < n; i++) {
        int who = !is_within(all[i], l, until_ms) ? -1 : all[i]->tenant->index == a ? 0 : all[i]->tenant->index == b ? 1 : -1;

        if (who < 0)
            continue;
        served[who] += all[i]->rcpts / shares[who];
        more = served[0] > served[1] ? served[0] : served[1];
        less = served[0] + served[1] - more;
        if (more - less > slack * (1 / shares[0] + 1 / shares[1]) + more / 4)
            world_broken(s->world, "%s and %s met on a path from %.3f on; by %.3f they were served %.1f and %.1f of their shares",
                         c->tenants[a].name, c->tenants[b].name, (double)(l->at_ms - s->world->began_ms) / 1000,
                         (double)(all[i]->at_ms - s->world->began_ms) / 1000, served[0], served[1]);
    }
}

void shares_audit(struct shares *s, int rcpts, int connections)
{
    for (int i = 0; i < s->count; i++)
        for (int a = 0; a < TENANTS; a++)
            for (int b = a + 1; b < TENANTS; b++) {
                unsigned both = 1u << a | 1u << b;

                if ((s->list[i].tenants & both) == both)
                    audit_span(s, &s->list[i], end_of_span(s, i, both), a, b, rcpts * (2 + connections));
            }
}
