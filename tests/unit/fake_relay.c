/* fake_relay.c: see fake_relay.h. */
#include "fake_relay.h"

#include <stdio.h>
#include <stdlib.h>

static const struct conf_token tokens[] = { { "ops", "right-token" }, { "other", "second" } };
static const char *const open_paths[] = { "/metrics", "/healthz", "/readyz" };
static const struct inet_addr sources[] = { { 4, { 192, 0, 2, 10 } } };
static const struct conf_vmta vmta1 = { .name = "mta1", .hostname = "mta1.example.net", .sources = sources, .source_count = 1 };
static const struct conf_tenant acme = { .name = "acme", .max_queued_recipients = 1000, .max_queued_bytes = INT64_MAX };

void fake_relay_init(struct relay *r)
{
    *r = (struct relay){ .conf.file = "/etc/fairlead/fairlead.yaml" };
    r->conf.admin.tokens = tokens;
    r->conf.admin.token_count = 2;
    r->conf.admin.open = open_paths;
    r->conf.admin.open_count = 3;
}

void fake_relay_turn(struct relay *r)
{
    void (*pending)(void *arg) = r->pending;

    r->pending = NULL;
    if (pending)
        pending(r->pending_arg);
}

static void later(struct relay *r, void (*f)(void *arg), void *arg)
{
    r->pending = f;
    r->pending_arg = arg;
    if (!r->slow)
        fake_relay_turn(r);
}

/* ---------------------------------------------------------------- relay.h */
struct conf *relay_conf(struct relay *r)
{
    return &r->conf;
}
uint64_t relay_generation(const struct relay *r)
{
    return 3;
}
void relay_drain(struct relay *r, bool on)
{
    r->draining = on;
}
bool relay_is_draining(const struct relay *r)
{
    return r->draining;
}

const char *view_state_name(enum view_state s)
{
    static const char *const names[] = { "ready", "waiting", "held", "suspended", "sending" };

    return s < VIEW_ANY ? names[s] : NULL;
}

/* ---------------------------------------------------------------- queues */
static const struct last_reply grey = { 1764000000000,   STAGE_RCPT, 451, { "4.7.1", 5 }, { "greylisted \x1b[31m\xff", 17 },
                                        { "mx.test", 7 } };

static void fill_queue(int i, char name[64], struct view_queue *ret)
{
    snprintf(name, 64, "acme/mta1/d%d.test", i);
    *ret = (struct view_queue){
        .name = slice_of(name),
        .tenant = SLICE("acme"),
        .vmta = SLICE("mta1"),
        .domain = slice_of(name + 10),
        .state = i == 1 ? VIEW_HELD : VIEW_WAITING,
        .messages = 2,
        .recipients = 3,
        .bytes = 5000,
        .oldest_ms = 1764000000000,
        .next_attempt_ms = 1764000060000,
        .why = SLICE("the receiver answered 451"),
        .last_reply = grey,
    };
}

bool relay_view_queues(struct relay *r, const struct view_filter *f, struct slice after, int limit,
                       bool (*visit)(void *arg, const struct view_queue *q), void *arg)
{
    char name[64];
    struct view_queue q;

    for (int i = 0; i < FAKE_QUEUES; i++) {
        fill_queue(i, name, &q);
        if (after.n &&
            (q.name.n < after.n ? memcmp(q.name.p, after.p, q.name.n) <= 0 : memcmp(q.name.p, after.p, after.n) <= 0))
            continue;
        if ((f->tenant.n && !slice_eq(f->tenant, q.tenant)) || (f->domain.n && !slice_eq(f->domain, q.domain)) ||
            (f->state != VIEW_ANY && f->state != q.state))
            continue;
        if (limit-- == 0)
            return true;
        if (!visit(arg, &q))
            return false;
    }
    return false;
}

bool relay_view_queue(struct relay *r, struct slice name,
                      void (*visit)(void *arg, const struct view_queue *q, const struct view_details *d), void *arg)
{
    const struct view_limit limit = { "connections of the path", SLICE("1"), SLICE("1"), { "fairlead.yaml", 12, 3 }, true };
    char text[64];
    struct view_queue q;

    fill_queue(0, text, &q);
    if (!slice_eq(name, q.name))
        return false;
    visit(arg, &q, &(struct view_details){
        .limits = &limit, .limit_count = 1, .without_tls = { { { 4, { 192, 0, 2, 1 } }, 1764000060000 } }, .without_tls_count = 1,
        .protocol = SLICE("S: 220 mx\nC: RCPT TO:<u@d0.test>\nS: 451 4.7.1 greylisted"),
    });
    return true;
}

/* ---------------------------------------------------------------- messages */
static struct envelope_rcpt rcpt = { .queue = { 1, { "acme", 4 }, { "mta1", 4 }, { "d0.test", 7 } },
                                     .address = { "u@d0.test", 9 },
                                     .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
                                     .attempts = 2 };

static void fill_message(struct envelope *e, struct view_message *m)
{
    *e = (struct envelope){ .tenant = SLICE("acme"),
                            .user = SLICE("foo"),
                            .client_ip = SLICE("192.0.2.1"),
                            .job = SLICE("j1"),
                            .received_ms = 1764000000000,
                            .expires_ms = 1764345600000,
                            .size = 321,
                            .rcpt_count = 1,
                            .rcpts = &rcpt };
    ulid_parse(SLICE(FAKE_MESSAGE), &e->id);
    *m = (struct view_message){
        .env = e, .rcpt = &rcpt, .state = VIEW_WAITING, .next_attempt_ms = 1764000060000, .attempts = 2, .last_reply = grey
    };
}

struct listing {
    void (*done)(void *arg, struct slice next);
    void *arg;
};

static void listing_done(void *arg)
{
    struct listing l = *(struct listing *)arg;

    free(arg);
    l.done(l.arg, SLICE_NONE);
}

int relay_view_messages(struct relay *r, struct slice queue, struct slice after, int limit,
                        void (*visit)(void *arg, const struct view_message *m), void (*done)(void *arg, struct slice next),
                        void *arg)
{
    struct listing *l;
    struct envelope e;
    struct view_message m;

    if (!slice_eq(queue, SLICE("acme/mta1/d0.test")))
        return FL_ENOENT;
    l = malloc(sizeof *l);
    *l = (struct listing){ done, arg };
    fill_message(&e, &m);
    for (int i = 0; i < 2 && i < limit; i++)
        visit(arg, &m);
    later(r, listing_done, l);
    return 0;
}

static bool is_known(const struct ulid *id)
{
    struct ulid known;

    return ulid_parse(SLICE(FAKE_MESSAGE), &known) && ulid_cmp(id, &known) == 0;
}

void relay_view_message(struct relay *r, const struct ulid *id, void (*visit)(void *arg, const struct view_message *m),
                        void (*done)(void *arg, bool found), void *arg)
{
    struct envelope e;
    struct view_message m;

    fill_message(&e, &m);
    if (is_known(id))
        visit(arg, &m);
    done(arg, is_known(id));
}

void relay_view_content(struct relay *r, const struct ulid *id, bool (*piece)(void *arg, struct slice bytes),
                        void (*done)(void *arg, int rc), void *arg)
{
    if (!is_known(id)) {
        done(arg, FL_ENOENT);
        return;
    }
    if (piece(arg, SLICE("Subject: a \"b\"\r\n\tc\x1b\xff\r\nX-")))
        piece(arg, SLICE("Odd: 1\r\n\r\n.body\r\n"));
    done(arg, 0);
}

/* ---------------------------------------------------------------- jobs, tenants, VMTAs, totals */
static const struct view_job job = {
    .tenant = { "acme", 4 }, .job = { "j/1", 3 }, .waiting = 3, .delivered = 7, .first_accepted_ms = 1764000000000
};

bool relay_view_jobs(struct relay *r, struct slice tenant, struct slice after, int limit,
                     bool (*visit)(void *arg, const struct view_job *j), void *arg)
{
    if (!after.n)
        visit(arg, &job);
    return false;
}

bool relay_view_job(struct relay *r, struct slice tenant, struct slice name, void (*visit)(void *arg, const struct view_job *j),
                    void *arg)
{
    if (!slice_eq(tenant, job.tenant) || !slice_eq(name, job.job))
        return false;
    visit(arg, &job);
    return true;
}

bool relay_view_vmtas(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s),
                      void *arg)
{
    const struct view_stream s = {
        .name = SLICE("mta1"), .messages = 10, .recipients = 15, .connections = 2, .vmta = &vmta1, .last_reply = grey
    };

    if (!after.n)
        visit(arg, &s);
    return false;
}

bool relay_view_tenants(struct relay *r, struct slice after, int limit, bool (*visit)(void *arg, const struct view_stream *s),
                        void *arg)
{
    const struct view_stream s = { .name = SLICE("acme"), .held = true, .messages = 10, .recipients = 15, .tenant = &acme };

    if (!after.n)
        visit(arg, &s);
    return false;
}

void relay_view_counters(struct relay *r, void (*visit)(void *arg, const struct view_counter *c), void *arg)
{
    const struct view_counter c[] = {
        { .tenant = SLICE("b\"e\\t\na\xff"), .vmta = SLICE("mta2"), .results[EVENT_ACCEPTED] = 1 },
        { .tenant = SLICE("acme"),
          .vmta = SLICE("mta1"),
          .results[EVENT_ACCEPTED] = 4,
          .results[EVENT_DELIVERED] = 3,
          .messages = 2,
          .oldest_ms = 1764000000000 },
        { .tenant = SLICE("acme"), .vmta = SLICE("mta2"), .results[EVENT_ACCEPTED] = 5, .results[EVENT_EXPIRED] = 1 },
    };

    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        visit(arg, &c[i]);
}

void relay_view_totals(struct relay *r, struct view_totals *ret)
{
    *ret = (struct view_totals){ .messages = 10,
                                 .recipients = 15,
                                 .bytes = 25000,
                                 .connections = 2,
                                 .accept_us_bucket = { 1, 2, 3 },
                                 .accept_us_sum = 1000,
                                 .accept_count = 6,
                                 .delivery_ms_bucket[VIEW_BUCKETS - 1] = 2 };
}

/* ---------------------------------------------------------------- actions */
struct act {
    void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text);
    void *arg;
    int rc;
};

static void act_done(void *arg)
{
    struct act a = *(struct act *)arg;
    struct action_answer answer = { .matched = 3 };

    free(arg);
    ulid_parse(SLICE(FAKE_TASK), &answer.task);
    a.done(a.arg, a.rc, a.rc < 0 ? NULL : &answer, a.rc < 0 ? "there is nothing of the name 'nobody'" : NULL);
}

static void keep(char ret[64], struct slice s)
{
    snprintf(ret, 64, "%.*s", SLICE_ARG(s));
}

void relay_act(struct relay *r, const struct action *a,
               void (*done)(void *arg, int rc, const struct action_answer *answer, const char *text), void *arg)
{
    struct act *act = malloc(sizeof *act);

    *act = (struct act){ done, arg,
                         slice_eq(a->tenant, SLICE("nobody")) ? FL_ENOENT
                         : slice_eq(a->to, SLICE("foreign"))  ? FL_EDENIED
                                                              : 0 };
    r->last_kind = a->kind;
    keep(r->last_who, a->who);
    keep(r->last_tenant, a->tenant);
    keep(r->last_job, a->job);
    keep(r->last_domain, a->domain);
    keep(r->last_to, a->to);
    r->last_all = a->all;
    r->last_dry_run = a->dry_run;
    r->last_dsn = a->dsn;
    r->last_refuse = a->refuse;
    r->acts += !a->dry_run;
    later(r, act_done, act);
}

bool relay_view_task(struct relay *r, const struct ulid *id, struct view_task *ret)
{
    struct ulid known;

    if (!ulid_parse(SLICE(FAKE_TASK), &known) || ulid_cmp(id, &known) != 0)
        return false;
    *ret = (struct view_task){
        .id = known, .kind = ACTION_MOVE, .matched = 3, .done = 3, .started_ms = 1764000000000, .ended_ms = 1764000001000
    };
    return true;
}

/* ---------------------------------------------------------------- store.h */
enum store_health store_health(const struct store *s)
{
    return STORE_OK;
}
const char *store_sqlite_version(void)
{
    return "3.40.1";
}
bool store_sqlite_is_affected(const char *version)
{
    return true;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
    *ret = (struct store_stats){ .commits = 3,
                                 .commit_us_bucket = { 1, 2 },
                                 .commit_us_sum = 300,
                                 .group_bucket = { 3 },
                                 .group_sum = 3,
                                 .wal_bytes = 4096,
                                 .free_bytes = INT64_C(1) << 40 };
}
