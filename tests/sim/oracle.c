/* oracle.c: see oracle.h. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

#include "oracle_books.h"
#include "policy.h"
#include "relay_parts.h"
#include "remote.h"
#include "stream_sim.h"

enum { WHOLE_SECOND_MS = 1000, EARLY_MS = 50, MISSING_MS = 5 * MINUTE_MS - 1000 };

struct oracle *oracle_new(struct world *w)
{
    struct oracle *o = calloc(1, sizeof *o);

    if (!o)
        abort();
    o->world = w;
    return o;
}

void oracle_free(struct oracle *o)
{
    for (int i = 0; i < o->count; i++)
        free(o->messages[i]);
    free(o);
}

/* ---------------------------------------------------------------- who is meant */
struct message *books_message(struct oracle *o, const char *address, char kind)
{
    int n = -1;

    if (address[0] != kind || sscanf(address + 1, "%d", &n) != 1 || n < 0 || n >= o->count)
        return NULL;
    return o->messages[n];
}

struct rcpt *books_rcpt(struct oracle *o, const char *address)
{
    struct message *m = books_message(o, address, 'm');
    int n, k;

    if (!m || sscanf(address, "m%dr%d", &n, &k) != 2 || k >= m->count)
        return NULL;
    return &m->rcpts[k];
}

static struct named *named(struct oracle *o, const char *name)
{
    int i = 0;

    while (i < o->name_count && strcmp(o->names[i].name, name) != 0)
        i++;
    if (i == NAMES)
        abort();
    if (i == o->name_count)
        snprintf(o->names[o->name_count++].name, TEXT, "%s", name);
    return &o->names[i];
}

void oracle_dns(struct oracle *o, const char *domain, enum dns_result result, const char *instead)
{
    struct named *n = named(o, domain);

    if (result == DNS_NXDOMAIN && !n->missing_ms)
        n->missing_ms = o->world->now.mono_ms;
    if (instead && (!*instead || conf_is_own_name(o->world->conf, slice_of(instead))))
        n->takes_none = true;
}

/* A domain that is missing bounces at the second answer, five minutes after the first at the earliest. */
bool books_may_bounce(struct oracle *o, const struct rcpt *r)
{
    const struct named *n = named(o, strchr(r->address, '@') + 1);

    return n->takes_none || (n->missing_ms && (o->stepped || o->world->now.mono_ms - n->missing_ms >= MISSING_MS));
}

/* ---------------------------------------------------------------- what the relay says */
bool books_has_expired(const struct oracle *o, const struct message *m, const struct rcpt *r)
{
    const struct conf_tenant *t = conf_tenant(o->world->conf, slice_of(m->tenant));
    const struct setting_value *v = t ? settings_get(&t->settings, SET_EXPIRE_AFTER) : NULL;

    return o->stepped || !v || o->world->now.wall_ms - m->offered_ms >= v->ms - 2 * WHOLE_SECOND_MS;
}

static void judge_end(struct oracle *o, struct message *m, struct rcpt *r, enum event_kind kind)
{
    struct world *w = o->world;

    if (has_ended(r))
        world_broken(w, "%s ended twice: %s, now %s", r->address, event_name(r->kind), event_name(kind));
    if (m->state != ACCEPTED)
        world_broken(w, "%s ended, and its message was never accepted", r->address);
    if (kind == EVENT_DELIVERED && r->yes == 0 && !r->lied)
        world_broken(w, "%s counts as delivered, and no host took it", r->address);
    if (kind == EVENT_BOUNCED && !r->no && !r->lied && !o->may_drop && !books_may_bounce(o, r))
        world_broken(w, "%s bounced, and no host refused it", r->address);
    if (kind == EVENT_EXPIRED && !books_has_expired(o, m, r))
        world_broken(w, "%s expired too early", r->address);
    if (kind == EVENT_DROPPED && !o->may_drop)
        world_broken(w, "%s was dropped, and nobody asked for it", r->address);
    r->ended++;
    r->kind = kind;
    r->heard = 0;
}

static bool ends(enum event_kind kind)
{
    return kind == EVENT_DELIVERED || kind == EVENT_BOUNCED || kind == EVENT_EXPIRED || kind == EVENT_DROPPED;
}

static int tenant_index(const struct conf *c, const char *domain)
{
    for (int i = 0; i < c->tenant_count; i++)
        if (tenant_may_send_as(&c->tenants[i], slice_of(domain)))
            return i;
    return -1;
}

void oracle_mail_refused(struct oracle *o, const char *from, bool certain)
{
    const char *at = strchr(from, '@');
    int who = at && certain ? tenant_index(o->world->conf, at + 1) : -1;

    for (int i = 0; i < TENANTS; i++)
        if (who < 0 || i == who) /* a null reverse-path, or a host that lied, may be anybody's */
            o->refused_ms[i] = o->world->now.mono_ms;
}

/* A refusal at MAIL sets back the queues of its sender; others only when it came for two tenants. 421 speaks of the host. */
static void judge_setback(struct oracle *o, const struct event *e)
{
    const struct conf_tenant *t = conf_tenant(o->world->conf, e->tenant);
    int refused = 0;

    if (!slice_eq(e->stage, SLICE("mail")) || e->code < 400 || e->code == 421 || !t || t->index >= TENANTS)
        return;
    for (int i = 0; i < TENANTS; i++)
        refused += o->refused_ms[i] != 0;
    if (!o->refused_ms[t->index] && refused < 2)
        world_broken(o->world, "%.*s is set back for another tenant's sender: %d %.*s", SLICE_ARG(e->queue), e->code, SLICE_ARG(e->text));
}

void oracle_event(struct oracle *o, const struct event *e)
{
    struct world *w = o->world;
    char to[TEXT];
    struct rcpt *r;
    struct message *dsn;

    if (e->kind == EVENT_PATH_DEFERRED) {
        judge_setback(o, e);
        world_tell(w, "%.*s  waits: %.*s %d %.*s", SLICE_ARG(e->queue), SLICE_ARG(e->stage), e->code, SLICE_ARG(e->text));
        return;
    }
    if (e->kind == EVENT_ACCEPTED || e->kind == EVENT_REJECTED)
        return;
    world_tell(w, "%.*s/%.*s %.*s  %s, %d %.*s %.*s", SLICE_ARG(e->tenant), SLICE_ARG(e->vmta), SLICE_ARG(e->to),
               event_name(e->kind), e->code, SLICE_ARG(e->enhanced), SLICE_ARG(e->text));
    snprintf(to, sizeof to, "%.*s", SLICE_ARG(e->to));
    r = books_rcpt(o, to);
    dsn = books_message(o, to, 's');
    if (r && ends(e->kind))
        judge_end(o, books_message(o, to, 'm'), r, e->kind);
    if (dsn && ends(e->kind) && e->kind != EVENT_DELIVERED)
        dsn->dsns++;
}

/* ---------------------------------------------------------------- crashes and other turns */
static void each_rcpt(struct oracle *o, void (*visit)(struct rcpt *r))
{
    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < o->messages[i]->count; k++)
            visit(&o->messages[i]->rcpts[k]);
}

/* What hosts took and no event confirmed may be sent once more: both windows at once. */
static void excuse(struct rcpt *r)
{
    r->excused += r->heard + r->open;
    r->heard = r->open = 0;
    r->attempts = 0;
    r->not_before_ms = 0;
}

void oracle_crashed(struct oracle *o)
{
    o->crashes++;
    oracle_hold_crashed(o);
    each_rcpt(o, excuse);
}

static void forget_times(struct rcpt *r)
{
    r->not_before_ms = 0;
}

void oracle_reloaded(struct oracle *o)
{
    each_rcpt(o, forget_times);
    for (int i = 0; i < o->count; i++)
        if (!conf_tenant(o->world->conf, slice_of(o->messages[i]->tenant)))
            o->messages[i]->orphaned = true;
}

void oracle_clock_stepped(struct oracle *o)
{
    o->stepped = true;
    each_rcpt(o, forget_times);
}

/* ---------------------------------------------------------------- connections and whose mail is on them */
static const struct conf_vmta *vmta_of(const struct conf *c, const struct inet_addr *source)
{
    for (int i = 0; i < c->vmta_count; i++)
        for (int k = 0; k < c->vmtas[i].source_count; k++)
            if (inet_addr_eq(&c->vmtas[i].sources[k], source))
                return &c->vmtas[i];
    return NULL;
}

static int count_site(const struct world *w, const struct inet_addr *source, int site)
{
    int n = 0;

    for (const struct remote *r = w->remotes; r; r = r->next)
        if (r->site == site)
            n += streams_sim_count(w->streams, source, &r->addr);
    return n;
}

static bool goes_to(const struct queue *q, const struct inet_addr *dest)
{
    for (int i = 0; q->site && i < q->site->target_count; i++)
        if (inet_addr_eq(&q->site->targets[i].addr, dest))
            return true;
    return false;
}

/* The most that any queue whose mail goes there may have, by the configuration. */
static int64_t site_limit(struct world *w, const struct conf_vmta *v, const struct inet_addr *dest)
{
    int64_t limit = 0;

    for (const struct queue *q = w->relay->mta.queues.by_name; q; q = queues_next(q)) {
        const struct conf_tenant *t = conf_tenant(w->conf, q->key.tenant);
        struct policy p;

        if (!goes_to(q, dest) || (q->recipients == 0 && q->pending == 0))
            continue;
        if (!t || !v)
            return INT64_MAX; /* what a reload took away is sent by the old rules */
        policy_resolve(w->conf, t, v, q->key.domain, &p);
        if (policy_number(&p, SET_MAX_CONNECTIONS) > limit)
            limit = policy_number(&p, SET_MAX_CONNECTIONS);
    }
    return limit;
}

void oracle_connected(struct oracle *o, const struct inet_addr *source, const struct inet_addr *dest)
{
    struct world *w = o->world;
    const struct remote *r = remote_at(w, dest);
    const struct conf_vmta *v = vmta_of(w->conf, source);
    char text[INET_TEXT];
    int64_t limit = r ? site_limit(w, v, dest) : 0, total = 0;
    const struct inet_addr any = { 0 };

    inet_addr_text(source, text);
    world_tell(w, "connect %s > %s", text, r ? r->name : "nobody");
    if (!r)
        world_broken(w, "a connection to an address that nobody has");
    if (count_site(w, source, r->site) > limit)
        world_broken(w, "%d connections from %s to site %d, %lld are allowed", count_site(w, source, r->site), text, r->site,
                     (long long)limit);
    for (int i = 0; v && i < v->source_count; i++)
        total += streams_sim_count(w->streams, &v->sources[i], &any);
    if (v && total > v->total_max_connections)
        world_broken(w, "%lld connections of VMTA %s, %lld are allowed", (long long)total, v->name,
                     (long long)v->total_max_connections);
}

static const struct conf_tenant *tenant_of_sender(const struct conf *c, const char *address)
{
    const char *at = strchr(address, '@');

    for (int i = 0; at && i < c->tenant_count; i++)
        if (tenant_may_send_as(&c->tenants[i], slice_of(at + 1)))
            return &c->tenants[i];
    return NULL;
}

void oracle_mail(struct oracle *o, const struct remote *r, const struct inet_addr *source, const char *ehlo, const char *from,
                 const char *login)
{
    const struct conf *c = o->world->conf;
    const struct conf_tenant *t = tenant_of_sender(c, from);
    const struct conf_vmta *v = vmta_of(c, source);

    if (!v || !t || !*from)
        return; /* gone with a reload; or a DSN, whose recipient tells */
    if (!tenant_may_use_vmta(t, v))
        world_broken(o->world, "mail of %s on VMTA %s", t->name, v->name);
    if (strcmp(ehlo, v->hostname))
        world_broken(o->world, "VMTA %s says EHLO %s", v->name, ehlo);
    if (*login && strcmp(login, t->name))
        world_broken(o->world, "mail of %s goes under the login %s", t->name, login);
}

void oracle_rcpt(struct oracle *o, const struct remote *r, const struct inet_addr *source, const char *from,
                 const char *address, int64_t sent_ms, bool orphan)
{
    struct world *w = o->world;
    struct message *m = books_message(o, address, 'm');
    struct rcpt *rcpt = books_rcpt(o, address);

    if (!*from)
        oracle_mail(o, r, source, vmta_of(w->conf, source) ? vmta_of(w->conf, source)->hostname : "", address, "");
    if (!rcpt)
        return;
    if (m->state == REFUSED || m->state == LOST)
        world_broken(w, "%s is sent, and was never accepted", address);
    if (strcmp(from, m->sender))
        world_broken(w, "%s is sent from %s", address, from);
    oracle_judge_hold(o, m, rcpt, sent_ms);
    if (orphan)
        return; /* it was on its way already */
    if (rcpt->ended)
        world_broken(w, "%s is sent after its end", address);
    if (w->now.mono_ms - r->latency_ms + EARLY_MS < rcpt->not_before_ms)
        world_broken(w, "%s is tried %lld ms too early", address, (long long)(rcpt->not_before_ms - w->now.mono_ms));
    rcpt->not_before_ms = 0;
}

/* ---------------------------------------------------------------- what hosts decide */
int64_t oracle_first_seen(struct oracle *o, const char *address)
{
    struct rcpt *r = books_rcpt(o, address);

    if (!r)
        return 0;
    if (!r->first_seen_ms)
        r->first_seen_ms = o->world->now.mono_ms;
    return r->first_seen_ms;
}

void oracle_content(struct oracle *o, const struct remote *remote, const char *rcpt, struct slice content)
{
    struct message *m = books_message(o, rcpt, 'm');
    size_t header = slice_find_slice(content, SLICE("\r\n\r\n"));
    struct buf b;

    if (!m)
        return;
    buf_init(&b, 0);
    oracle_body(m, &b);
    if (!slice_eq(slice_skip(content, header + 4), buf_slice(&b)))
        world_broken(o->world, "the content of message %d changed on the way (%zu bytes, %zu arrived)", m->number, buf_len(&b),
                     slice_skip(content, header + 4).n);
    if (slice_find_slice(slice_head(content, header), SLICE("X-Fairlead")) < header)
        world_broken(o->world, "message %d carries what was meant for us", m->number);
    buf_free(&b);
}

void oracle_lied(struct oracle *o, const char *address)
{
    struct rcpt *r = books_rcpt(o, address);

    if (r)
        r->lied = true;
}

void oracle_yes(struct oracle *o, const char *address, bool orphan)
{
    struct rcpt *r = books_rcpt(o, address);
    struct message *dsn = books_message(o, address, 's');

    if (dsn)
        dsn->dsns++;
    if (!r)
        return;
    r->yes++;
    if (orphan)
        r->excused++;
    else
        r->open++;
    if (!r->lied && r->yes > 1 + r->excused)
        world_broken(o->world, "%s is delivered %d times, %d are explained", address, r->yes, 1 + r->excused);
}

void oracle_yes_heard(struct oracle *o, const char *address, bool certain)
{
    struct rcpt *r = books_rcpt(o, address);

    if (!r)
        return;
    if (r->open > 0)
        r->open--;
    if (certain)
        r->heard++;
    else
        r->excused++;
}

void oracle_yes_lost(struct oracle *o, const char *address)
{
    struct rcpt *r = books_rcpt(o, address);

    if (!r || r->open == 0)
        return;
    r->open--;
    r->excused++;
}

void oracle_no(struct oracle *o, const char *address)
{
    struct rcpt *r = books_rcpt(o, address);
    struct message *dsn = books_message(o, address, 's');

    if (dsn)
        dsn->dsns++;
    if (r)
        r->no = true;
}

/* The schedule counted here again, so that a fault in retry.c is not judged by itself. */
static int64_t shortest_interval(const struct retry_schedule *s, int n)
{
    double ms = (double)s->first_ms;

    if (s->count > 0)
        return s->interval_ms[n <= s->count ? n - 1 : s->count - 1];
    for (int i = 1; i < n && ms < (double)s->max_ms; i++)
        ms *= s->factor;
    if (ms > (double)s->max_ms)
        ms = (double)s->max_ms;
    return (int64_t)(ms - ms * s->jitter_permille / 1000) - 1;
}

void oracle_later_heard(struct oracle *o, const char *address, const struct inet_addr *source)
{
    struct world *w = o->world;
    struct rcpt *r = books_rcpt(o, address);
    struct message *m = books_message(o, address, 'm');
    const struct conf_vmta *v = vmta_of(w->conf, source);
    const struct conf_tenant *t = m ? conf_tenant(w->conf, slice_of(m->tenant)) : NULL;
    struct policy policy;
    int64_t expiry_ms;

    if (!r || !t || !v)
        return;
    policy_resolve(w->conf, t, v, slice_of(strchr(address, '@') + 1), &policy);
    r->attempts++;
    r->not_before_ms = w->now.mono_ms + shortest_interval(policy.value[SET_RETRY]->retry, r->attempts);
    expiry_ms = m->offered_ms + policy_ms(&policy, SET_EXPIRE_AFTER);
    if (books_has_expired(o, m, r) || expiry_ms < w->now.wall_ms + (r->not_before_ms - w->now.mono_ms))
        r->not_before_ms = 0; /* the last try is made when it is too old */
}

/* ---------------------------------------------------------------- sums */
int oracle_live(const struct oracle *o)
{
    int n = 0;

    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < o->messages[i]->count; k++)
            n += o->messages[i]->state == ACCEPTED && !has_ended(&o->messages[i]->rcpts[k]);
    return n;
}

int oracle_ended(const struct oracle *o, enum event_kind kind)
{
    int n = 0;

    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < o->messages[i]->count; k++)
            n += o->messages[i]->rcpts[k].ended > 0 && o->messages[i]->rcpts[k].kind == kind;
    return n;
}

void oracle_may_drop(struct oracle *o)
{
    o->may_drop = true;
}

void oracle_judge_waits(struct oracle *o, const char *but_tenant, const char *or_tenant, const char *or_domain, int64_t within_ms)
{
    for (int i = 0; i < o->count; i++) {
        const struct message *m = o->messages[i];

        if (m->state != ACCEPTED || strcmp(m->tenant, but_tenant) == 0 || o->world->now.mono_ms - m->offered_mono_ms < within_ms)
            continue;
        for (int k = 0; k < m->count; k++) {
            const struct rcpt *r = &m->rcpts[k];

            if (strcmp(m->tenant, or_tenant) == 0 && strcmp(strchr(r->address, '@') + 1, or_domain) == 0)
                continue;
            if (!has_ended(r))
                world_broken(o->world, "%s of %s waits since %.3f, and what went wrong spoke only of %s", r->address, m->tenant,
                             (double)(m->offered_mono_ms - o->world->began_ms) / 1000, but_tenant);
        }
    }
}
