/* hold.c: see hold.h. */
#include "hold.h"

#include <stdlib.h>

#include "domain.h"

struct holds *holds_new(void)
{
    struct holds *hs = calloc(1, sizeof *hs);

    if (hs)
        TAILQ_INIT(&hs->rules);
    return hs;
}

void holds_free(struct holds *hs)
{
    while (hs && !TAILQ_EMPTY(&hs->rules))
        holds_remove(hs, TAILQ_FIRST(&hs->rules));
    free(hs);
}

static bool says_same(const struct hold *a, const struct stored_hold *b)
{
    return slice_eq(a->tenant, b->tenant) && slice_eq(a->vmta, b->vmta) && slice_eq(a->domain, b->domain) &&
           slice_eq(a->job, b->job);
}

static struct slice put(char **at, struct slice s)
{
    struct slice copy = slice_make(*at, s.n);

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

struct hold *holds_add(struct holds *hs, const struct stored_hold *s)
{
    struct hold *h;
    char *at;

    TAILQ_FOREACH(h, &hs->rules, link)
        if (says_same(h, s)) {
            h->refuse = h->refuse || s->refuse;
            return h;
        }
    h = hs->count < HOLDS_MAX ? calloc(1, sizeof *h) : NULL;
    if (!h || !(h->text = malloc(s->tenant.n + s->vmta.n + s->domain.n + s->job.n + s->who.n + 1))) {
        free(h);
        return NULL;
    }
    at = h->text;
    h->id = s->id;
    h->tenant = put(&at, s->tenant);
    h->vmta = put(&at, s->vmta);
    h->domain = put(&at, s->domain);
    h->job = put(&at, s->job);
    h->who = put(&at, s->who);
    h->since_ms = s->since_ms;
    h->refuse = s->refuse;
    TAILQ_INSERT_TAIL(&hs->rules, h, link);
    hs->count++;
    return h;
}

void holds_remove(struct holds *hs, struct hold *h)
{
    TAILQ_REMOVE(&hs->rules, h, link);
    hs->count--;
    free(h->text);
    free(h);
}

bool hold_matches_domain(struct slice rule, struct slice domain)
{
    return rule.n == 0 || domain_matches(rule, domain);
}

/* All but the job. */
static bool matches_queue(const struct hold *h, const struct queue *q)
{
    return (h->tenant.n == 0 || slice_eq(h->tenant, q->key.tenant)) && (h->vmta.n == 0 || slice_eq(h->vmta, q->key.vmta)) &&
           hold_matches_domain(h->domain, q->key.domain);
}

const struct hold *holds_match(const struct holds *hs, const struct queue *q)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &hs->rules, link)
        if (h->job.n == 0 && matches_queue(h, q))
            return h;
    return NULL;
}

bool holds_mail_is_held(const struct holds *hs, const struct queue *q, struct slice job)
{
    const struct hold *h;

    if (!job.n)
        return false;
    TAILQ_FOREACH(h, &hs->rules, link)
        if (slice_eq(h->job, job) && matches_queue(h, q))
            return true;
    return false;
}

static bool names_job(const struct hold *h, struct slice tenant, struct slice job)
{
    return h->job.n > 0 && slice_eq(h->job, job) && slice_eq(h->tenant, tenant);
}

bool holds_job_is_held(const struct holds *hs, struct slice tenant, struct slice job)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &hs->rules, link)
        if (names_job(h, tenant, job) && h->vmta.n == 0 && h->domain.n == 0)
            return true;
    return false;
}

bool holds_name_job(const struct holds *hs, struct slice tenant, struct slice job)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &hs->rules, link)
        if (names_job(h, tenant, job))
            return true;
    return false;
}

bool holds_is_refused(const struct holds *hs, struct slice tenant)
{
    const struct hold *h;

    TAILQ_FOREACH(h, &hs->rules, link)
        if (h->refuse && slice_eq(h->tenant, tenant))
            return true;
    return false;
}

struct stored_hold hold_stored(const struct hold *h)
{
    return (struct stored_hold){
        .id = h->id, .tenant = h->tenant, .vmta = h->vmta, .domain = h->domain, .job = h->job,
        .refuse = h->refuse, .who = h->who, .since_ms = h->since_ms,
    };
}
