/* task.c: see task.h. */
#include "task.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "hold.h"
#include "job.h"
#include "pool.h"
#include "selection.h"
#include "setback.h"
#include "settle.h"
#include "standing.h"

enum {
    SELECT_BATCH = 500,
    UNDER_WAY_MAX = 4000,      /* recipients of a task whose settles are awaited */
    QUEUES_A_TURN = 200,
    MESSAGES_A_STEP = 500,     /* in memory */
};

struct task {
    TAILQ_ENTRY(task) link;
    struct mta *m;
    struct view_task view;
    char *text;                     /* holds the slices of what is selected */
    struct action a;                /* its slices in text; message in message_id */
    struct ulid message_id;
    const struct conf_vmta *to_vmta;
    const struct conf_pool *to_pool;
    struct conf *conf;              /* a reference: the target points into it */
    uint64_t *queues;               /* ids of those that matched when it began */
    int queue_count, at;
    struct ulid *messages;          /* in memory when the task came to the queue at `at`; NULL: not looked at yet */
    int message_count, message_at;
    struct load_key after;
    bool by_key;                    /* a message or a job is named: what is parked is selected by it, not queue by queue */
    bool key_done;
    uint64_t woken;                 /* the queue that was woken last */
    bool selecting, answered;
    bool is_known;                  /* the message that is named exists, whether or not the other selectors match it */
    bool denied;                    /* the message is a tenant's that has no grant for the target: it stays */
    int under_way;
    int64_t expected;               /* what matched by the counts; -1: not known before the end */
    int64_t began_mono_ms;
    void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text);
    void *arg;
};

struct tasks {
    struct mta *m;
    TAILQ_HEAD(, task) all;
    int count;
};

struct tasks *tasks_new(struct mta *m)
{
    struct tasks *ts = calloc(1, sizeof *ts);

    if (!ts)
        return NULL;
    ts->m = m;
    TAILQ_INIT(&ts->all);
    return ts;
}

static void task_free(struct tasks *ts, struct task *t)
{
    TAILQ_REMOVE(&ts->all, t, link);
    ts->count--;
    conf_unref(t->conf);
    free(t->messages);
    free(t->queues);
    free(t->text);
    free(t);
}

void tasks_free(struct tasks *ts)
{
    while (ts && !TAILQ_EMPTY(&ts->all))
        task_free(ts, TAILQ_FIRST(&ts->all));
    free(ts);
}

/* ---------------------------------------------------------------- what is selected */
static int collect_queues(struct task *t)
{
    struct queues *qs = &t->m->queues;
    unsigned all = HASH_CNT(hh_name, qs->by_name);

    t->queues = malloc((all + 1) * sizeof *t->queues);
    if (!t->queues)
        return FL_ENOMEM;
    t->expected = selection_is_by_queue(&t->a) ? 0 : -1;
    for (struct queue *q = qs->by_name; q; q = queues_next(q)) {
        if (q->recipients == 0 || !selection_has_queue(t->m, &t->a, q))
            continue;
        t->queues[t->queue_count++] = q->key.id;
        if (t->expected >= 0)
            t->expected += q->recipients;
    }
    return 0;
}

/* ---------------------------------------------------------------- the end */
static void answer(struct task *t, int rc, int64_t matched, const char *text)
{
    struct action_answer a = { t->view.id, matched };

    if (t->answered)
        return;
    t->answered = true;
    t->done(t->arg, rc, &a, text);
}

static void end(struct task *t)
{
    struct log_line line;

    if (!t->view.running)
        return;
    t->view.running = false;
    t->view.ended_ms = t->m->now->wall_ms;
    if (t->expected > t->view.matched)
        t->view.matched = t->expected;
    if (t->a.kind == ACTION_RELEASE && t->expected >= 0)
        t->view.done = t->view.matched; /* the rule that went did it, without touching rows */
    if (t->denied)
        answer(t, FL_EDENIED, 0, "the message's tenant has no grant for the target");
    else if (t->a.message && !t->is_known)
        answer(t, FL_ENOENT, 0, "no such message");
    else
        answer(t, 0, t->view.matched, NULL);
    log_begin(&line, t->m->log, LOG_LEVEL_INFO, "task_ended");
    log_text(&line, "do", action_name(t->a.kind));
    selection_log(&t->a, &line);
    log_int(&line, "matched", t->view.matched);
    log_int(&line, "done", t->view.done);
    log_slice(&line, "by", t->a.who);
    log_end(&line);
}

static void on_done(void *arg)
{
    struct task *t = arg;

    t->under_way--;
}

/* ---------------------------------------------------------------- acting */
/* May mail of this tenant go where the task moves it? */
static bool has_grant(const struct task *t, struct slice tenant)
{
    const struct conf_tenant *c = conf_tenant(t->conf, tenant);

    if (FAULT(grant_forgotten))
        return true;
    return c && (t->to_vmta ? tenant_may_use_vmta(c, t->to_vmta) : tenant_may_use_pool(c, t->to_pool));
}

static bool is_denied(struct task *t, const struct queue *q)
{
    if (t->a.kind == ACTION_MOVE && t->a.message && !has_grant(t, q->key.tenant))
        t->denied = true;
    return t->denied;
}

static struct queue *target_of(struct task *t, const struct queue *q)
{
    const struct conf_vmta *v = t->to_pool ? pool_pick(t->to_pool, &t->m->rand) : t->to_vmta;

    return queues_get(&t->m->queues, q->key.tenant, slice_of(v->name), q->key.domain, 0);
}

/* What the action makes of one recipient; false: nothing. */
static bool verdict_of(struct task *t, struct queue *q, const struct envelope *env, int rcpt, struct settle_verdict *ret)
{
    bool is_held = env->rcpts[rcpt].due_ms == HELD_DUE_MS;
    int64_t now = t->m->now->wall_ms;

    *ret = (struct settle_verdict){ .rcpt = rcpt, .kind = SETTLE_PARK, .due_ms = now };
    switch (t->a.kind) {
    case ACTION_HOLD:
        ret->due_ms = HELD_DUE_MS;
        return true;
    case ACTION_RELEASE:
        quarantine_remove(&t->m->quarantine, &env->id);
        return is_held && !holds_mail_is_held(t->m->holds, q, env->job);
    case ACTION_RETRY:
        return !is_held;
    case ACTION_MOVE:
        if (is_held)
            ret->due_ms = HELD_DUE_MS;
        ret->to = target_of(t, q);
        return ret->to && ret->to != q;
    case ACTION_DROP:
        *ret = settle_by_command(rcpt, t->a.dsn, now);
        return true;
    }
    return false;
}

/* Lets everything that the queue waits for be tried at once. */
static void wake_queue(struct mta *m, struct queue *q)
{
    q->next_attempt_ms = 0;
    if (q->attempts)
        store_queue_clock(m->store, &q->key, q->attempts, 0, &q->last.reply);
    if (q->resolve == RESOLVE_BOUNCE)
        q->resolve = RESOLVE_NEEDED;
    for (int i = 0; i < q->turn_count; i++)
        setback_try_now(m, q->turns[i].path, q->turns[i].share->lane);
    attend_soon(m, q);
}

static void wake_once(struct task *t, struct queue *q)
{
    if (t->a.kind != ACTION_RETRY || t->a.dry_run || t->woken == q->key.id)
        return;
    t->woken = q->key.id;
    q->rewind = true;
    wake_queue(t->m, q);
}

/* Held mail stays where it is: nothing wakes it but its release. */
static bool acts_on_memory(const struct task *t)
{
    return t->a.kind == ACTION_DROP || t->a.kind == ACTION_MOVE || t->a.kind == ACTION_HOLD;
}

/* What is being sent finishes; what of it comes back undelivered is treated as ordered. */
static void order_later(struct task *t, struct queue_entry *e)
{
    switch (t->a.kind) {
    case ACTION_HOLD:
        e->hold = standing_is_beyond(&t->a);
        break;
    case ACTION_RELEASE:
        e->hold = false;
        break;
    case ACTION_DROP:
        e->drop = true;
        e->drop_dsn = t->a.dsn;
        break;
    default:
        break;
    }
}

static void act_on_entry(struct task *t, struct queue_entry *e)
{
    struct settle_verdict *v;
    bool acts = true;

    if (is_denied(t, e->queue))
        return;
    t->view.matched += e->rcpt_count;
    wake_once(t, e->queue);
    if (!t->a.dry_run && e->state == ENTRY_SENDING)
        order_later(t, e);
    if (t->a.dry_run || !acts_on_memory(t) || e->state != ENTRY_READY) {
        t->view.done += e->rcpt_count;
        return;
    }
    v = calloc((size_t)e->rcpt_count, sizeof *v);
    for (int i = 0; v && i < e->rcpt_count; i++)
        acts = verdict_of(t, e->queue, e->env, e->rcpt[i], &v[i]) && acts;
    t->view.done += e->rcpt_count;
    if (v && acts)
        settle_entry(t->m, e, v, NULL);
    free(v);
}

/* Which messages of the queue are in memory now: their entries move while the task acts, a piece a turn. */
static bool collect_messages(struct task *t, const struct queue *q)
{
    const struct queue_entries *lines[] = { &q->busy, &q->ready };

    t->messages = malloc((size_t)(queue_in_memory(q) + 1) * sizeof *t->messages);
    t->message_count = t->message_at = 0;
    for (int i = 0; t->messages && i < 2; i++)
        for (const struct queue_entry *e = TAILQ_FIRST(lines[i]); e; e = TAILQ_NEXT(e, link))
            t->messages[t->message_count++] = e->env->id;
    return t->messages != NULL;
}

/* q NULL: whatever queue it is in. */
static void act_on_message(struct task *t, const struct queue *q, const struct ulid *id)
{
    struct message_entries *m = queues_message(&t->m->queues, id);
    struct queue_entry *e, *next;

    t->is_known = t->is_known || m;
    for (e = m ? m->first : NULL; e; e = next) {
        next = e->next_of_message;
        if ((!q || e->queue == q) && selection_has_queue(t->m, &t->a, e->queue) && selection_has_message(t->m, &t->a, e->env))
            act_on_entry(t, e);
    }
}

/* False: more of it is in memory, for the next turn. */
static bool act_on_memory(struct task *t, struct queue *q)
{
    int until;

    if (!t->messages && !collect_messages(t, q))
        return false;
    until = t->message_at + MESSAGES_A_STEP < t->message_count ? t->message_at + MESSAGES_A_STEP : t->message_count;
    for (; t->message_at < until; t->message_at++)
        /* a message whose entries were split stands there once for each: only the first time counts */
        if (t->message_at == 0 || ulid_cmp(&t->messages[t->message_at], &t->messages[t->message_at - 1]) != 0)
            act_on_message(t, q, &t->messages[t->message_at]);
    return t->message_at >= t->message_count;
}

/* Those of its recipients that lie in one queue, from `first` on, in one settle. */
static void act_on_queue_of(struct task *t, struct queue *q, struct envelope *env, int first, struct settle_verdict *v)
{
    int n = 0;

    for (int i = first; i < env->rcpt_count; i++) {
        if (env->rcpts[i].queue.id != q->key.id || queues_has_rcpt(&t->m->queues, &env->id, env->rcpts[i].number))
            continue;
        t->view.matched++;
        t->view.done++;
        wake_once(t, q);
        if (!t->a.dry_run && verdict_of(t, q, env, i, &v[n]))
            n++;
    }
    if (n == 0)
        return;
    t->under_way++;
    settle_parked(t->m, q, env, v, n, on_done, t);
}

static void act_on_parked(struct task *t, struct envelope *env)
{
    struct settle_verdict *v = calloc((size_t)env->rcpt_count, sizeof *v);

    for (int i = 0; v && i < env->rcpt_count; i++) {
        struct queue *q = queues_by_id(&t->m->queues, env->rcpts[i].queue.id);

        if (q && envelope_is_first_of_queue(env, i) && selection_has_queue(t->m, &t->a, q) && !is_denied(t, q))
            act_on_queue_of(t, q, env, i, v);
    }
    free(v);
}

static void next_queue(struct task *t)
{
    t->at++;
    free(t->messages);
    t->messages = NULL;
    t->after = (struct load_key){ 0 };
}

static void on_selected(void *arg, int rc, const struct load_result *r)
{
    struct task *t = arg;

    t->selecting = false;
    t->is_known = t->is_known || (rc == 0 && r->count > 0);
    for (int i = 0; rc == 0 && i < r->count; i++) {
        if (t->view.running && selection_has_message(t->m, &t->a, r->envelopes[i]))
            act_on_parked(t, r->envelopes[i]);
        envelope_unref(r->envelopes[i]);
    }
    t->after = r->after;
    if (rc == 0 && r->more)
        return;
    if (t->at < t->queue_count)
        next_queue(t);
    else
        t->key_done = true;
}

static void select_parked(struct task *t, uint64_t queue)
{
    struct store_selection sel = { .queue = queue, .received_before_ms = NEVER_MS, .message = t->a.message };

    /* of a message that is named it is of interest that it exists, whatever else is asked of it */
    if (t->a.older_ms && !t->a.message)
        sel.received_before_ms = t->m->now->wall_ms - t->a.older_ms;
    if (t->a.job.n && !t->a.message) {
        sel.tenant = t->a.tenant;
        sel.job = t->a.job;
    }
    /* what is held one by one stands behind all that has a due time */
    if (t->a.kind == ACTION_RELEASE && queue && !t->after.due_ms)
        t->after.due_ms = HELD_DUE_MS - 1;
    t->selecting = true;
    store_select(t->m->store, &sel, &t->after, SELECT_BATCH, on_selected, t);
}

/* One step at the queue where the task is; false: nothing more in this turn. */
static bool step(struct task *t)
{
    struct queue *q;

    if (t->selecting || t->under_way > UNDER_WAY_MAX)
        return false;
    if (t->at >= t->queue_count && t->by_key && !t->key_done) {
        select_parked(t, 0);
        return false;
    }
    if (t->at >= t->queue_count) {
        if (t->under_way == 0)
            end(t);
        return false;
    }
    q = queues_by_id(&t->m->queues, t->queues[t->at]);
    if (!q) {
        next_queue(t);
        return true;
    }
    if (!act_on_memory(t, q))
        return false;
    if (selection_is_by_queue(&t->a))
        wake_once(t, q);
    if (queue_parked(q) > 0 && !t->by_key)
        select_parked(t, q->key.id);
    else
        next_queue(t);
    return !t->selecting;
}

void tasks_turn(struct tasks *ts)
{
    struct task *t, *next;

    for (t = TAILQ_FIRST(&ts->all); t; t = next) {
        next = TAILQ_NEXT(t, link);
        for (int i = 0; i < QUEUES_A_TURN && t->view.running && step(t); i++)
            ;
        if (!t->answered && t->expected >= 0)
            answer(t, 0, t->expected, NULL);
        if (!t->answered && ts->m->now->mono_ms - t->began_mono_ms > TASK_ANSWER_MS && !t->a.dry_run)
            answer(t, 0, t->view.matched, NULL);
        if (!t->view.running && t->under_way == 0 && !t->selecting && ts->count > TASKS_KEPT)
            task_free(ts, t);
    }
}

bool tasks_find(const struct tasks *ts, const struct ulid *id, struct view_task *ret)
{
    const struct task *t;

    TAILQ_FOREACH(t, &ts->all, link)
        if (ulid_cmp(&t->view.id, id) == 0) {
            *ret = t->view;
            return true;
        }
    return false;
}

/* ---------------------------------------------------------------- the beginning */
static struct slice put(char **at, struct slice s)
{
    struct slice copy = slice_make(*at, s.n);

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

static struct task *task_new(struct tasks *ts, const struct action *a)
{
    struct task *t = calloc(1, sizeof *t);
    char *at;

    if (!t)
        return NULL;
    t->text = at = malloc(a->tenant.n + a->vmta.n + a->domain.n + a->job.n + a->to.n + a->who.n + 1);
    if (!t->text) {
        free(t);
        return NULL;
    }
    t->m = ts->m;
    t->a = *a;
    t->a.tenant = put(&at, a->tenant);
    t->a.vmta = put(&at, a->vmta);
    t->a.domain = put(&at, a->domain);
    t->a.job = put(&at, a->job);
    t->a.to = put(&at, a->to);
    t->a.who = put(&at, a->who);
    if (a->message) {
        t->message_id = *a->message;
        t->a.message = &t->message_id;
    }
    t->conf = conf_ref(ts->m->queues.conf);
    t->began_mono_ms = ts->m->now->mono_ms;
    t->view = (struct view_task){
        .id = ulid_next(&ts->m->ids, ts->m->now->wall_ms), .kind = a->kind, .running = true, .started_ms = ts->m->now->wall_ms,
    };
    TAILQ_INSERT_TAIL(&ts->all, t, link);
    ts->count++;
    return t;
}

static int check_target(struct task *t, char *text, size_t size)
{
    if (t->a.kind != ACTION_MOVE)
        return 0;
    t->to_vmta = conf_vmta(t->conf, t->a.to);
    t->to_pool = t->to_vmta ? NULL : conf_pool(t->conf, t->a.to);
    if (!t->to_vmta && !t->to_pool) {
        snprintf(text, size, "no VMTA or pool \"%.*s\"", SLICE_ARG(t->a.to));
        return FL_ENOENT;
    }
    return 0;
}

static int check_grant(const struct task *t, struct slice tenant, char *text, size_t size)
{
    if (has_grant(t, tenant))
        return 0;
    snprintf(text, size, "tenant \"%.*s\" has no grant for \"%.*s\"", SLICE_ARG(tenant), SLICE_ARG(t->a.to));
    return FL_EDENIED;
}

/* Every tenant whose mail would move has the grant. Whose a message is shows when it is found. */
static int check_grants(struct task *t, char *text, size_t size)
{
    int rc = 0;

    if (t->a.kind != ACTION_MOVE || t->a.message)
        return 0;
    if (t->a.tenant.n)
        return check_grant(t, t->a.tenant, text, size);
    for (int i = 0; i < t->queue_count && rc == 0; i++)
        rc = check_grant(t, queues_by_id(&t->m->queues, t->queues[i])->key.tenant, text, size);
    return rc;
}

static int begin(struct task *t, char *text, size_t size)
{
    int rc = selection_check(t->m, &t->a, text, size);

    if (rc == 0)
        rc = check_target(t, text, size);
    if (rc == 0)
        rc = collect_queues(t);
    if (rc == 0)
        rc = check_grants(t, text, size);
    if (rc < 0)
        return rc;
    t->by_key = t->a.message || t->a.job.n;
    if (t->a.message) {
        t->at = t->queue_count;
        act_on_message(t, NULL, t->a.message);
    }
    if (t->a.dry_run || standing_is_beyond(&t->a))
        return 0;
    if (t->a.kind == ACTION_HOLD)
        rc = standing_hold(t->m, &t->a);
    else if (t->a.kind == ACTION_RELEASE)
        standing_release(t->m, &t->a);
    if (t->a.kind == ACTION_HOLD && t->a.job.n == 0) {
        /* the rule is all: no row is touched */
        t->view.matched = t->view.done = t->expected;
        t->at = t->queue_count;
        t->key_done = true;
    }
    return rc;
}

int tasks_begin(struct tasks *ts, const struct action *a,
                void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text), void *arg)
{
    struct task *t = task_new(ts, a);
    char text[256] = "out of memory";
    int rc;

    if (!t) {
        done(arg, FL_ENOMEM, NULL, text);
        return FL_ENOMEM;
    }
    t->done = done;
    t->arg = arg;
    rc = begin(t, text, sizeof text);
    if (rc < 0) {
        t->view.running = false;
        t->answered = true;
        task_free(ts, t);
        done(arg, rc, NULL, text);
        return rc;
    }
    tasks_turn(ts);
    return 0;
}
