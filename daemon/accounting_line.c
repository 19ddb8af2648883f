/* accounting_line.c: struct event → a line of JSON. Room for the worst case is reserved first, so that nothing below checks
 * bounds byte by byte. Pure. */
#include "accounting_line.h"

#include "clock.h"
#include "digits.h"
#include "printable.h"

enum field {
    F_TIME, F_EVENT, F_ID, F_MESSAGE, F_TENANT, F_USER, F_CLIENT_IP, F_JOB, F_FROM, F_TO, F_VMTA, F_POOL, F_SOURCE_IP, F_MX,
    F_MX_IP, F_TLS, F_STAGE, F_CODE, F_ENHANCED, F_TEXT, F_ATTEMPT, F_QUEUED_MS, F_DELIVERY_MS, F_SIZE, F_QUEUE, F_RECIPIENTS,
    F_REASON, FIELDS
};

static const char *const names[FIELDS] = {
    "time", "event", "id", "message", "tenant", "user", "client_ip", "job", "from", "to", "vmta", "pool", "source_ip", "mx",
    "mx_ip", "tls", "stage", "code", "enhanced", "text", "attempt", "queued_ms", "delivery_ms", "size", "queue", "recipients",
    "reason",
};

enum {
    FIXED_BYTES = 1024, /* names, quotes, numbers, ids, the time: counted generously */
    GROWTH = 3,         /* a byte becomes at most U+FFFD in UTF-8 */
    TEXT_MAX = 4096,    /* of one field; what is longer is cut */
};

struct writer {
    char *at;
    uint32_t fields;
    char separator; /* '{' before the first field, ',' behind it */
};

uint32_t accounting_field(struct slice name)
{
    for (int i = 0; i < FIELDS; i++)
        if (slice_eq(name, slice_of(names[i])))
            return 1u << i;
    return 0;
}

const char *accounting_field_name(int i)
{
    return i >= 0 && i < FIELDS ? names[i] : NULL;
}

static void put(struct writer *w, struct slice s)
{
    memcpy(w->at, s.p, s.n);
    w->at += s.n;
}

static inline bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F && c != '"' && c != '\\';
}

/* A JSON string. */
static void put_text(struct writer *w, struct slice s)
{
    s = slice_head(s, TEXT_MAX);
    *w->at++ = '"';
    while (s.n) {
        size_t n = 0;

        while (n < s.n && is_plain(s.p[n]))
            n++;
        put(w, slice_head(s, n));
        s = slice_skip(s, n);
        if (!s.n)
            break;
        n = printable_char(s);
        if (*s.p == '"' || *s.p == '\\')
            *w->at++ = '\\';
        put(w, n ? slice_head(s, n) : SLICE(PRINTABLE_REPLACEMENT));
        s = slice_skip(s, n ? n : 1);
    }
    *w->at++ = '"';
}

static void put_number(struct writer *w, int64_t v)
{
    if (v < 0)
        *w->at++ = '-';
    w->at = digits_put(w->at, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* Begins a field unless it is not wanted. */
static bool begin(struct writer *w, enum field f)
{
    if (!(w->fields & (1u << f)))
        return false;
    *w->at++ = w->separator;
    w->separator = ',';
    *w->at++ = '"';
    put(w, slice_of(names[f]));
    *w->at++ = '"';
    *w->at++ = ':';
    return true;
}

static void text(struct writer *w, enum field f, struct slice s)
{
    if (s.n && begin(w, f))
        put_text(w, s);
}

static void number(struct writer *w, enum field f, int64_t v, int64_t least)
{
    if (v >= least && begin(w, f))
        put_number(w, v);
}

static void tls(struct writer *w, const struct event *e)
{
    if (!e->tls_version.n || !begin(w, F_TLS))
        return;
    put(w, SLICE("{\"version\":"));
    put_text(w, e->tls_version);
    put(w, SLICE(",\"cipher\":"));
    put_text(w, e->tls_cipher);
    put(w, e->tls_verified ? SLICE(",\"verified\":true}") : SLICE(",\"verified\":false}"));
}

static void head(struct writer *w, const struct event *e)
{
    char time[CLOCK_RFC3339], id[ULID_TEXT];

    clock_rfc3339(e->time_ms, time);
    text(w, F_TIME, slice_of(time));
    text(w, F_EVENT, slice_of(event_name(e->kind)));
    ulid_text(&e->id, id);
    text(w, F_ID, slice_of(id));
    if (e->message) {
        ulid_text(e->message, id);
        text(w, F_MESSAGE, slice_of(id));
    }
}

static size_t worst_case(const struct event *e)
{
    const struct slice parts[] = { e->tenant,     e->user,  e->client_ip, e->job,  e->from,  e->to,
                                   e->vmta,       e->pool,  e->source_ip, e->mx,   e->mx_ip, e->tls_version,
                                   e->tls_cipher, e->stage, e->enhanced,  e->text, e->queue, slice_of(e->reason) };
    size_t n = FIXED_BYTES;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        n += GROWTH * (parts[i].n < TEXT_MAX ? parts[i].n : TEXT_MAX);
    return n;
}

int accounting_line(const struct event *e, uint32_t fields, struct buf *out)
{
    struct writer w = { .fields = fields, .separator = '{' };
    char *start;
    int rc = buf_reserve(out, worst_case(e), &start);

    if (rc < 0)
        return rc;
    w.at = start;
    head(&w, e);
    text(&w, F_TENANT, e->tenant);
    text(&w, F_USER, e->user);
    text(&w, F_CLIENT_IP, e->client_ip);
    text(&w, F_JOB, e->job);
    if ((e->has_from || e->from.n) && begin(&w, F_FROM))
        put_text(&w, e->from);
    text(&w, F_TO, e->to);
    text(&w, F_VMTA, e->vmta);
    text(&w, F_POOL, e->pool);
    text(&w, F_SOURCE_IP, e->source_ip);
    text(&w, F_MX, e->mx);
    text(&w, F_MX_IP, e->mx_ip);
    tls(&w, e);
    text(&w, F_STAGE, e->stage);
    number(&w, F_CODE, e->code, 1);
    text(&w, F_ENHANCED, e->enhanced);
    text(&w, F_TEXT, e->text);
    number(&w, F_ATTEMPT, e->attempt, 1);
    number(&w, F_QUEUED_MS, e->queued_ms, 0);
    number(&w, F_DELIVERY_MS, e->delivery_ms, 0);
    number(&w, F_SIZE, e->size, 0);
    text(&w, F_QUEUE, e->queue);
    number(&w, F_RECIPIENTS, e->recipients, 0);
    text(&w, F_REASON, slice_of(e->reason));
    if (w.separator == '{')
        *w.at++ = '{'; /* none of the fields applies */
    put(&w, SLICE("}\n"));
    buf_grown(out, (size_t)(w.at - start));
    return 0;
}
