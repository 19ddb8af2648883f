/* metrics.c: one table of what is on the page, and a writer for each row of it. Loop thread. */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "printable.h"
#include "relay_view.h"
#include "store.h"

enum { LAG_BUCKETS = 16, LABEL_MAX = 256 };

struct reason {
    char *name;
    uint64_t count;
};

struct certificate {
    char *name;
    int64_t not_after_ms;
};

struct metrics {
    struct reason reasons[METRICS_REASONS_MAX + 1]; /* one more for "other" */
    int reason_count;
    uint64_t lag_us_bucket[LAG_BUCKETS], lag_us_sum; /* bucket i: < 2^(i+7) µs, the last: more */
    struct certificate certificates[METRICS_CERTIFICATES_MAX];
    int certificate_count;
};

struct metrics *metrics_new(void)
{
    return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    metrics_forget_certificates(m);
    for (int i = 0; i < m->reason_count; i++)
        free(m->reasons[i].name);
    free(m);
}

/* ---------------------------------------------------------------- what is counted here */
static struct reason *find_reason(struct metrics *m, const char *name)
{
    for (int i = 0; i < m->reason_count; i++)
        if (strcmp(m->reasons[i].name, name) == 0)
            return &m->reasons[i];
    return NULL;
}

void metrics_event(struct metrics *m, const struct event *e)
{
    const char *name = e->reason && *e->reason ? e->reason : "other";
    struct reason *r;

    if (e->kind != EVENT_REJECTED)
        return;
    r = find_reason(m, name);
    if (!r && m->reason_count >= METRICS_REASONS_MAX) {
        name = "other";
        r = find_reason(m, name);
    }
    if (!r) {
        char *copy = slice_dup(slice_of(name));

        if (!copy)
            return;
        r = &m->reasons[m->reason_count++];
        r->name = copy;
    }
    r->count++;
}

void metrics_loop_lag(struct metrics *m, int64_t lag_us)
{
    int i = 0;

    if (lag_us < 0)
        lag_us = 0;
    while (i < LAG_BUCKETS - 1 && lag_us >= (INT64_C(1) << (i + 7)))
        i++;
    m->lag_us_bucket[i]++;
    m->lag_us_sum += (uint64_t)lag_us;
}

void metrics_certificate(struct metrics *m, const char *name, int64_t not_after_ms)
{
    struct certificate *c = NULL;

    for (int i = 0; i < m->certificate_count && !c; i++)
        if (strcmp(m->certificates[i].name, name) == 0)
            c = &m->certificates[i];
    if (!c) {
        char *copy = m->certificate_count < METRICS_CERTIFICATES_MAX ? slice_dup(slice_of(name)) : NULL;

        if (!copy)
            return;
        c = &m->certificates[m->certificate_count++];
        c->name = copy;
    }
    c->not_after_ms = not_after_ms;
}

void metrics_forget_certificates(struct metrics *m)
{
    for (int i = 0; i < m->certificate_count; i++)
        free(m->certificates[i].name);
    m->certificate_count = 0;
}

/* ---------------------------------------------------------------- the page */
struct stream_row {
    struct slice tenant, vmta;
    uint64_t results[EVENTS];
    int64_t messages, oldest_ms;
};

struct page {
    const struct metrics *m;
    const struct metrics_sources *from;
    struct buf *out;
    int rc;           /* the first error; nothing is written after it */
    const char *name; /* of the metric being written */
    struct arena *arena;
    struct stream_row *streams;
    int stream_count, stream_room;
    struct store_stats store;
    struct view_totals totals;
};

static void add(struct page *p, struct slice s)
{
    if (p->rc == 0)
        p->rc = buf_add(p->out, s);
}

static void add_text(struct page *p, const char *text)
{
    add(p, slice_of(text));
}

/* A label's value: backslash and quote escaped, what is not printable replaced. */
static void add_label_value(struct page *p, struct slice s)
{
    s = slice_head(s, LABEL_MAX);
    while (s.n && p->rc == 0) {
        size_t n = printable_char(s);

        if (*s.p == '"' || *s.p == '\\')
            add(p, SLICE("\\"));
        add(p, n ? slice_head(s, n) : SLICE(PRINTABLE_REPLACEMENT));
        s = slice_skip(s, n ? n : 1);
    }
}

struct label {
    const char *name;
    struct slice value;
};

/* name suffix {labels}, up to the blank before the number. */
static void sample(struct page *p, const char *suffix, const struct label *labels, int count)
{
    add_text(p, p->name);
    add_text(p, suffix);
    for (int i = 0; i < count; i++) {
        add_text(p, i ? "," : "{");
        add_text(p, labels[i].name);
        add(p, SLICE("=\""));
        add_label_value(p, labels[i].value);
        add(p, SLICE("\""));
    }
    add_text(p, count ? "} " : " ");
}

static void whole(struct page *p, int64_t v)
{
    if (p->rc == 0)
        p->rc = buf_printf(p->out, "%lld\n", (long long)v);
}

static void fraction(struct page *p, double v)
{
    if (p->rc == 0)
        p->rc = buf_printf(p->out, "%.9g\n", v);
}

/* Cumulative buckets; bucket i ends at first × 2^i, the last is without end. */
static void histogram(struct page *p, const uint64_t *bucket, int count, double first, double sum)
{
    uint64_t seen = 0;
    char le[32];

    for (int i = 0; i < count; i++, first *= 2) {
        seen += bucket[i];
        snprintf(le, sizeof le, i == count - 1 ? "+Inf" : "%.9g", first);
        sample(p, "_bucket", &(struct label){ "le", slice_of(le) }, 1);
        whole(p, (int64_t)seen);
    }
    sample(p, "_sum", NULL, 0);
    fraction(p, sum);
    sample(p, "_count", NULL, 0);
    whole(p, (int64_t)seen);
}

static void write_accepted(struct page *p)
{
    for (int i = 0; i < p->stream_count;) {
        struct slice tenant = p->streams[i].tenant;
        uint64_t n = 0;

        for (; i < p->stream_count && slice_eq(p->streams[i].tenant, tenant); i++)
            n += p->streams[i].results[EVENT_ACCEPTED];
        sample(p, "", &(struct label){ "tenant", tenant }, 1);
        whole(p, (int64_t)n);
    }
}

static void write_rejected(struct page *p)
{
    for (int i = 0; i < p->m->reason_count; i++) {
        sample(p, "", &(struct label){ "reason", slice_of(p->m->reasons[i].name) }, 1);
        whole(p, (int64_t)p->m->reasons[i].count);
    }
}

/* Whether a result stands on the page though it never happened: what people draw and alert on. */
static bool is_common(int kind)
{
    return kind == EVENT_DELIVERED || kind == EVENT_DEFERRED || kind == EVENT_BOUNCED;
}

static void write_deliveries(struct page *p)
{
    for (int i = 0; i < p->stream_count; i++) {
        const struct stream_row *s = &p->streams[i];

        for (int k = EVENT_DELIVERED; k < EVENTS; k++) {
            if (!s->results[k] && !is_common(k))
                continue;
            sample(p, "",
                   (struct label[]){ { "tenant", s->tenant }, { "vmta", s->vmta }, { "result", slice_of(event_name(k)) } }, 3);
            whole(p, (int64_t)s->results[k]);
        }
    }
}

static void stream_sample(struct page *p, const struct stream_row *s)
{
    sample(p, "", (struct label[]){ { "tenant", s->tenant }, { "vmta", s->vmta } }, 2);
}

static void write_queue_messages(struct page *p)
{
    for (int i = 0; i < p->stream_count; i++) {
        stream_sample(p, &p->streams[i]);
        whole(p, p->streams[i].messages);
    }
}

static void write_queue_oldest(struct page *p)
{
    for (int i = 0; i < p->stream_count; i++) {
        const struct stream_row *s = &p->streams[i];
        int64_t age_ms = s->oldest_ms ? p->from->wall_ms - s->oldest_ms : 0;

        stream_sample(p, s);
        fraction(p, age_ms > 0 ? (double)age_ms / SECOND_MS : 0);
    }
}

static bool write_vmta(void *arg, const struct view_stream *s)
{
    struct page *p = arg;

    sample(p, "", (struct label[]){ { "direction", SLICE("out") }, { "vmta", s->name } }, 2);
    whole(p, s->connections);
    return p->rc == 0;
}

static void write_connections(struct page *p)
{
    sample(p, "", (struct label[]){ { "direction", SLICE("in") }, { "vmta", SLICE_NONE } }, 2);
    whole(p, p->from->sessions_in);
    relay_view_vmtas(p->from->relay, SLICE_NONE, METRICS_STREAMS_MAX, write_vmta, p);
}

static void write_commit(struct page *p)
{
    histogram(p, p->store.commit_us_bucket, STORE_BUCKETS, 64e-6, (double)p->store.commit_us_sum / 1e6);
}

static void write_group(struct page *p)
{
    histogram(p, p->store.group_bucket, STORE_BUCKETS, 1, (double)p->store.group_sum);
}

static void write_wal(struct page *p)
{
    sample(p, "", NULL, 0);
    whole(p, p->store.wal_bytes);
}

static void write_free(struct page *p)
{
    sample(p, "", NULL, 0);
    whole(p, p->store.free_bytes);
}

static void write_lag(struct page *p)
{
    histogram(p, p->m->lag_us_bucket, LAG_BUCKETS, 128e-6, (double)p->m->lag_us_sum / 1e6);
}

static void write_accept(struct page *p)
{
    histogram(p, p->totals.accept_us_bucket, VIEW_BUCKETS, 128e-6, (double)p->totals.accept_us_sum / 1e6);
}

static void write_delivery(struct page *p)
{
    histogram(p, p->totals.delivery_ms_bucket, VIEW_BUCKETS, 2e-3, (double)p->totals.delivery_ms_sum / 1e3);
}

static void write_certificates(struct page *p)
{
    for (int i = 0; i < p->m->certificate_count; i++) {
        const struct certificate *c = &p->m->certificates[i];

        sample(p, "", &(struct label){ "certificate", slice_of(c->name) }, 1);
        fraction(p, (double)(c->not_after_ms - p->from->wall_ms) / SECOND_MS);
    }
}

static void write_build(struct page *p)
{
    sample(p, "",
           (struct label[]){ { "version", SLICE(FAIRLEAD_VERSION) },
                             { "sqlite", slice_of(store_sqlite_version()) },
                             { "openssl", slice_of(p->from->openssl) } },
           3);
    whole(p, 1);
}

static const struct {
    const char *name, *type, *help;
    void (*write)(struct page *p);
} table[] = {
    { "fairlead_messages_accepted_total", "counter", "Messages answered with 250.", write_accepted },
    { "fairlead_submissions_rejected_total", "counter", "Submissions refused, by reason.", write_rejected },
    { "fairlead_deliveries_total", "counter", "Ends and delays of recipients, by the name of their event.", write_deliveries },
    { "fairlead_queue_messages", "gauge", "Messages in the queues.", write_queue_messages },
    { "fairlead_queue_oldest_seconds", "gauge", "Age of the oldest message in the queues.", write_queue_oldest },
    { "fairlead_connections", "gauge", "Open SMTP connections.", write_connections },
    { "fairlead_store_commit_seconds", "histogram", "Duration of the store's transactions.", write_commit },
    { "fairlead_store_group_messages", "histogram", "Messages in one transaction of the store.", write_group },
    { "fairlead_store_wal_bytes", "gauge", "Size of the write-ahead log.", write_wal },
    { "fairlead_store_free_bytes", "gauge", "Free space where the store lies.", write_free },
    { "fairlead_loop_lag_seconds", "histogram", "How late timers of the loop ran.", write_lag },
    { "fairlead_accept_seconds", "histogram", "From the final dot to 250.", write_accept },
    { "fairlead_delivery_seconds", "histogram", "From 250 to delivered.", write_delivery },
    { "fairlead_certificate_expiry_seconds", "gauge", "Time until a certificate ends.", write_certificates },
    { "fairlead_build_info", "gauge", "What this binary is made of; always 1.", write_build },
};

static void take_counter(void *arg, const struct view_counter *c)
{
    struct page *p = arg;
    struct stream_row *row;

    if (p->rc < 0 || p->stream_count >= METRICS_STREAMS_MAX)
        return;
    if (p->stream_count == p->stream_room) {
        int room = p->stream_room ? 2 * p->stream_room : 64;
        struct stream_row *more = realloc(p->streams, (size_t)room * sizeof *more);

        if (!more) {
            p->rc = FL_ENOMEM;
            return;
        }
        p->streams = more;
        p->stream_room = room;
    }
    row = &p->streams[p->stream_count];
    *row = (struct stream_row){ .tenant = arena_copy(p->arena, c->tenant),
                                .vmta = arena_copy(p->arena, c->vmta),
                                .messages = c->messages,
                                .oldest_ms = c->oldest_ms };
    if (!row->tenant.p || !row->vmta.p) {
        p->rc = FL_ENOMEM;
        return;
    }
    p->stream_count++;
    memcpy(row->results, c->results, sizeof row->results);
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

static int compare_streams(const void *a, const void *b)
{
    const struct stream_row *x = a, *y = b;
    int d = compare_slices(x->tenant, y->tenant);

    return d ? d : compare_slices(x->vmta, y->vmta);
}

int metrics_write(const struct metrics *m, const struct metrics_sources *from, struct buf *out)
{
    struct page p = { .m = m, .from = from, .out = out, .arena = arena_new(4096) };

    if (!p.arena)
        return FL_ENOMEM;
    relay_view_counters(from->relay, take_counter, &p);
    if (p.stream_count)
        qsort(p.streams, (size_t)p.stream_count, sizeof *p.streams, compare_streams);
    relay_view_totals(from->relay, &p.totals);
    store_stats(from->store, &p.store);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        p.name = table[i].name;
        if (p.rc == 0)
            p.rc = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", p.name, table[i].help, p.name, table[i].type);
        table[i].write(&p);
    }
    free(p.streams);
    arena_free(p.arena);
    return p.rc;
}
