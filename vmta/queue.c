/* queue.c: see queue.h. */
#include "queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "job.h"

void queues_init(struct queues *qs, struct tenancy *tenancy, uint64_t next_id)
{
    *qs = (struct queues){ .tenancy = tenancy, .next_id = next_id ? next_id : 1 };
    TAILQ_INIT(&qs->idle);
    TAILQ_INIT(&qs->shed);
}

static void queue_destroy(struct queues *qs, struct queue *q)
{
    struct queue_entry *e;

    while ((e = TAILQ_FIRST(&q->ready)) || (e = TAILQ_FIRST(&q->busy)))
        queue_entry_free(qs, e);
    if (q->idle_ms)
        TAILQ_REMOVE(&qs->idle, q, idle_link);
    if (q->shedding)
        TAILQ_REMOVE(&qs->shed, q, shed_link);
    heap_remove(&qs->wake, &q->wake);
    HASH_DELETE(hh_name, qs->by_name, q);
    HASH_DELETE(hh_id, qs->by_id, q);
    note_free(&q->last);
    note_free(&q->protocol);
    note_free(&q->verdict);
    conf_unref(q->conf);
    conf_unref(q->policy_conf);
    free(q->name);
    free(q);
}

void queues_remove(struct queues *qs, struct queue *q)
{
    assert(queue_is_empty(q) && !q->site && !q->turns && !q->resolution);
    queue_destroy(qs, q);
}

void queues_free(struct queues *qs)
{
    struct settling_rcpt *s, *next_s;
    struct queue *q, *next;

    HASH_ITER(hh_name, qs->by_name, q, next)
        queue_destroy(qs, q);
    HASH_ITER(hh, qs->settling, s, next_s) {
        HASH_DELETE(hh, qs->settling, s);
        free(s);
    }
    heap_free(&qs->wake);
    conf_unref(qs->conf);
}

void queues_set_conf(struct queues *qs, struct conf *conf)
{
    struct conf *before = qs->conf;

    qs->conf = conf_ref(conf);
    conf_unref(before);
}

struct queue *queues_find(const struct queues *qs, struct slice name)
{
    struct queue *q;

    HASH_FIND(hh_name, qs->by_name, name.p, name.n, q);
    return q;
}

struct queue *queues_by_id(const struct queues *qs, uint64_t id)
{
    struct queue *q;

    HASH_FIND(hh_id, qs->by_id, &id, sizeof id, q);
    return q;
}

struct queue *queues_next(const struct queue *q)
{
    return q->hh_name.next;
}

static int queue_name(struct queue *q, struct slice tenant, struct slice vmta, struct slice domain)
{
    size_t n = tenant.n + vmta.n + domain.n + 2;

    q->name = malloc(n + 1);
    if (!q->name)
        return FL_ENOMEM;
    snprintf(q->name, n + 1, "%.*s/%.*s/%.*s", SLICE_ARG(tenant), SLICE_ARG(vmta), SLICE_ARG(domain));
    q->key.tenant = slice_make(q->name, tenant.n);
    q->key.vmta = slice_make(q->name + tenant.n + 1, vmta.n);
    q->key.domain = slice_make(q->name + tenant.n + vmta.n + 2, domain.n);
    return 0;
}

static struct queue *queue_new(struct queues *qs, struct slice tenant, struct slice vmta, struct slice domain)
{
    struct queue *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    TAILQ_INIT(&q->ready);
    TAILQ_INIT(&q->busy);
    q->next_due_ms = q->next_expiry_ms = q->noted_due_ms = NEVER_MS;
    q->tenant_state = tenancy_tenant(qs->tenancy, tenant);
    q->vmta_state = tenancy_vmta(qs->tenancy, vmta);
    if (q->tenant_state && q->vmta_state)
        q->counters = tenancy_counters(qs->tenancy, q->tenant_state, q->vmta_state);
    if (!q->counters || queue_name(q, tenant, vmta, domain) < 0) {
        free(q);
        return NULL;
    }
    return q;
}

/* Under its name and its number, and with a place among those that wake, so that queue_set_wake needs no memory. False without
 * memory. */
static bool queue_list(struct queues *qs, struct queue *q)
{
    if (heap_reserve(&qs->wake, HASH_CNT(hh_name, qs->by_name) + 1) < 0)
        return false;
    HASH_ADD_KEYPTR(hh_name, qs->by_name, q->name, strlen(q->name), q);
    if (!q->hh_name.tbl)
        return false;
    HASH_ADD(hh_id, qs->by_id, key.id, sizeof q->key.id, q);
    if (!q->hh_id.tbl)
        HASH_DELETE(hh_name, qs->by_name, q);
    return q->hh_id.tbl != NULL;
}

struct queue *queues_get(struct queues *qs, struct slice tenant, struct slice vmta, struct slice domain, uint64_t id)
{
    char store[512];
    size_t n = slice_join((struct slice[]){ tenant, vmta, domain }, 3, '/', store, sizeof store);
    struct queue *q;

    /* names and domains are bounded (64 + 64 + 253): a longer one is damaged data */
    if (!n)
        return NULL;
    q = queues_find(qs, slice_make(store, n));
    if (q)
        return q;
    q = queue_new(qs, tenant, vmta, domain);
    if (!q)
        return NULL;
    q->key.id = id ? id : qs->next_id++;
    if (!queue_list(qs, q)) {
        free(q->name);
        free(q);
        return NULL;
    }
    queue_sync(qs, q);
    return q;
}

static void profile_of(struct queue *q)
{
    const struct policy *p = &q->policy;
    const struct smart_host *host = p->value[SET_SMART_HOST]->smart_host;

    q->profile = (struct profile){
        .tls = host && host->has_tls ? host->tls : p->value[SET_TLS]->tls,
        .tls_min_version = p->value[SET_TLS_MIN_VERSION]->version,
        .tls_ca = p->value[SET_TLS_CA]->text,
        .tls_fallback = policy_flag(p, SET_TLS_FALLBACK),
        .implicit_tls = host && host->implicit_tls,
        .ehlo = q->vmta->hostname,
        .user = host ? host->user : NULL,
        .password = host ? host->password : NULL,
        .allow_plaintext_login = host && host->allow_plaintext_login,
        .connect_timeout_ms = policy_ms(p, SET_CONNECT_TIMEOUT),
        .reply_timeout_ms = policy_ms(p, SET_TIMEOUTS),
    };
}

void queue_sync(struct queues *qs, struct queue *q)
{
    const struct conf_tenant *t;
    const struct conf_vmta *v;
    struct conf *before = q->conf;

    if (q->conf == qs->conf)
        return;
    q->conf = conf_ref(qs->conf);
    t = conf_tenant(q->conf, q->key.tenant);
    v = conf_vmta(q->conf, q->key.vmta);
    if (t && v && !tenant_may_use_vmta(t, v))
        v = NULL;
    q->tenant = t;
    q->vmta = v;
    q->held_by_conf = !t || !v;
    if (t && v) {
        conf_unref(q->policy_conf);
        q->policy_conf = conf_ref(q->conf);
        policy_resolve(q->conf, t, v, q->key.domain, &q->policy);
        profile_of(q);
    }
    q->place_is_old = true;
    conf_unref(before);
}

static void party_count(struct party *p, int64_t messages, int64_t recipients, int64_t bytes)
{
    p->messages += messages;
    p->recipients += recipients;
    p->bytes += bytes;
}

void queue_count(struct queues *qs, struct queue *q, int64_t messages, int64_t recipients, int64_t bytes)
{
    q->messages += messages;
    q->recipients += recipients;
    q->bytes += bytes;
    qs->total.messages += messages;
    qs->total.recipients += recipients;
    qs->total.bytes += bytes;
    q->counters->messages += messages;
    party_count(&q->tenant_state->party, messages, recipients, bytes);
    party_count(&q->vmta_state->party, messages, recipients, bytes);
    if (q->recipients == 0) {
        q->oldest_parked_ms = 0;
        q->next_due_ms = q->next_expiry_ms = NEVER_MS;
    }
}

/* ---------------------------------------------------------------- entries */
struct message_entries *queues_message(const struct queues *qs, const struct ulid *message)
{
    struct message_entries *m;

    HASH_FIND(hh, qs->messages, message, sizeof *message, m);
    return m;
}

static struct message_entries *message_get(struct queues *qs, const struct ulid *id)
{
    struct message_entries *m = queues_message(qs, id);

    if (m)
        return m;
    m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->id = *id;
    HASH_ADD(hh, qs->messages, id, sizeof m->id, m);
    if (!m->hh.tbl) {
        free(m);
        return NULL;
    }
    return m;
}

static struct settling_rcpt settling_key(const struct ulid *message, uint32_t number)
{
    struct settling_rcpt key;

    memset(&key, 0, sizeof key); /* hashed by its bytes */
    key.message = *message;
    key.number = number;
    return key;
}

enum { SETTLING_KEY = offsetof(struct settling_rcpt, number) + sizeof(uint32_t) };

static struct settling_rcpt *find_settling(const struct queues *qs, const struct ulid *message, uint32_t number)
{
    struct settling_rcpt key = settling_key(message, number), *s;

    HASH_FIND(hh, qs->settling, &key, SETTLING_KEY, s);
    return s;
}

int queues_begin_settling(struct queues *qs, const struct ulid *message, uint32_t number)
{
    struct settling_rcpt *s = malloc(sizeof *s);

    if (!s)
        return FL_ENOMEM;
    *s = settling_key(message, number);
    HASH_ADD_KEYPTR(hh, qs->settling, s, SETTLING_KEY, s);
    if (!s->hh.tbl) {
        free(s);
        return FL_ENOMEM;
    }
    return 0;
}

void queues_end_settling(struct queues *qs, const struct ulid *message, uint32_t number)
{
    struct settling_rcpt *s = find_settling(qs, message, number);

    if (!s)
        return;
    HASH_DELETE(hh, qs->settling, s);
    free(s);
}

bool queues_has_rcpt(const struct queues *qs, const struct ulid *message, uint32_t number)
{
    struct message_entries *m = queues_message(qs, message);

    if (qs->settling && find_settling(qs, message, number))
        return true;
    for (struct queue_entry *e = m ? m->first : NULL; e; e = e->next_of_message)
        for (int i = 0; i < e->rcpt_count; i++)
            if (e->env->rcpts[e->rcpt[i]].number == number)
                return true;
    return false;
}

static int64_t *rcpts_in(struct queue_entry *e)
{
    return e->state == ENTRY_READY ? &e->queue->ready_rcpts : &e->queue->busy_rcpts;
}

static struct queue_entries *line_of(struct queue_entry *e)
{
    return e->state == ENTRY_READY ? &e->queue->ready : &e->queue->busy;
}

struct queue_entry *queue_entry_new(struct queues *qs, struct queue *q, struct envelope *env, const int *rcpt, int count,
                                    bool at_front)
{
    struct queue_entry *e = malloc(sizeof *e + (size_t)count * sizeof *rcpt);
    struct message_entries *m = e ? message_get(qs, &env->id) : NULL;

    if (!m) {
        free(e);
        return NULL;
    }
    *e = (struct queue_entry){ .queue = q, .message = m, .env = envelope_ref(env), .rcpt_count = count };
    memcpy(e->rcpt, rcpt, (size_t)count * sizeof *rcpt);
    e->next_of_message = m->first;
    m->first = e;
    if (at_front)
        TAILQ_INSERT_HEAD(&q->ready, e, link);
    else
        TAILQ_INSERT_TAIL(&q->ready, e, link);
    q->ready_rcpts += count;
    q->ready_entries++;
    qs->memory_rcpts += count;
    if (env->expires_ms < q->next_expiry_ms)
        q->next_expiry_ms = env->expires_ms;
    return e;
}

struct queue_entry *queue_entry_take_out(struct queues *qs, struct queue_entry *e, const int *which, int count)
{
    struct queue_entry *out;
    int *rcpt = malloc((size_t)count * sizeof *rcpt), kept = 0, taken = 0;

    if (!rcpt)
        return NULL;
    for (int i = 0; i < count; i++)
        rcpt[i] = e->rcpt[which[i]];
    out = queue_entry_new(qs, e->queue, e->env, rcpt, count, true);
    free(rcpt);
    if (!out)
        return NULL;
    out->job = e->job;
    for (int i = 0; i < e->rcpt_count; i++) {
        if (taken < count && which[taken] == i)
            taken++;
        else
            e->rcpt[kept++] = e->rcpt[i];
    }
    *rcpts_in(e) -= count;
    qs->memory_rcpts -= count;
    e->rcpt_count = kept;
    return out;
}

void queue_entry_set_job(struct queue_entry *e, struct job *job)
{
    e->job = job;
    if (job)
        job->ready += e->rcpt_count;
}

bool queue_entry_split(struct queues *qs, struct queue_entry *e, int n)
{
    struct queue_entry *rest;
    int more = e->rcpt_count - n;

    if (more <= 0)
        return true;
    rest = queue_entry_new(qs, e->queue, e->env, e->rcpt + n, more, true);
    if (!rest)
        return false;
    rest->job = e->job;
    rest->again = e->again;
    *rcpts_in(e) -= more;
    qs->memory_rcpts -= more;
    e->rcpt_count = n;
    return true;
}

void queue_entry_move(struct queue_entry *e, enum entry_state to)
{
    static const unsigned allowed[ENTRY_STATES] = {
        [ENTRY_READY] = 1u << ENTRY_SENDING | 1u << ENTRY_SETTLING,
        [ENTRY_SENDING] = 1u << ENTRY_READY | 1u << ENTRY_SETTLING,
        [ENTRY_SETTLING] = 0,
    };
    struct queue *q = e->queue;

    assert(allowed[e->state] & 1u << to);
    TAILQ_REMOVE(line_of(e), e, link);
    *rcpts_in(e) -= e->rcpt_count;
    q->sending -= e->state == ENTRY_SENDING;
    q->ready_entries -= e->state == ENTRY_READY;
    e->state = to;
    q->sending += to == ENTRY_SENDING;
    q->ready_entries += to == ENTRY_READY;
    *rcpts_in(e) += e->rcpt_count;
    if (to == ENTRY_READY)
        TAILQ_INSERT_HEAD(&q->ready, e, link);
    else
        TAILQ_INSERT_TAIL(&q->busy, e, link);
}

void queue_entry_free(struct queues *qs, struct queue_entry *e)
{
    struct message_entries *m = e->message;
    struct queue_entry **at = &m->first;

    while (*at != e)
        at = &(*at)->next_of_message;
    *at = e->next_of_message;
    if (!m->first) {
        HASH_DELETE(hh, qs->messages, m);
        free(m);
    }
    TAILQ_REMOVE(line_of(e), e, link);
    *rcpts_in(e) -= e->rcpt_count;
    e->queue->sending -= e->state == ENTRY_SENDING;
    e->queue->ready_entries -= e->state == ENTRY_READY;
    qs->memory_rcpts -= e->rcpt_count;
    if (e->job)
        e->job->ready -= e->rcpt_count;
    envelope_unref(e->env);
    free(e);
}

/* ---------------------------------------------------------------- parked, and when to look again */
void queue_note_parked(struct queue *q, int64_t due_ms, const struct envelope *env)
{
    if (due_ms < q->next_due_ms)
        q->next_due_ms = due_ms;
    if (due_ms <= q->after.due_ms)
        q->rewind = true;
    if (q->loading && due_ms < q->noted_due_ms)
        q->noted_due_ms = due_ms;
    if (env->expires_ms < q->next_expiry_ms)
        q->next_expiry_ms = env->expires_ms;
    if (!q->oldest_parked_ms || env->received_ms < q->oldest_parked_ms)
        q->oldest_parked_ms = env->received_ms;
}

static int64_t older(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

int64_t queue_oldest_ms(const struct queue *q)
{
    const struct queue_entry *ready = TAILQ_FIRST(&q->ready), *busy = TAILQ_FIRST(&q->busy);
    int64_t oldest = queue_parked(q) > 0 ? q->oldest_parked_ms : 0;

    if (ready)
        oldest = older(oldest, ready->env->received_ms);
    return busy ? older(oldest, busy->env->received_ms) : oldest;
}

void queue_set_wake(struct queues *qs, struct queue *q, int64_t wall_ms)
{
    if (wall_ms == NEVER_MS)
        heap_remove(&qs->wake, &q->wake);
    else if (!heap_has(&q->wake) || q->wake.key != wall_ms)
        (void)heap_set(&qs->wake, &q->wake, wall_ms, q->key.id); /* its place was made with the queue */
}

struct queue *queues_woken(struct queues *qs, int64_t wall_ms)
{
    struct heap_node *n = heap_first(&qs->wake);

    if (!n || n->key > wall_ms)
        return NULL;
    heap_remove(&qs->wake, n);
    return HEAP_ENTRY(n, struct queue, wake);
}
