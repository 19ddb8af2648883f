/* envelope_pack.c: see envelope_pack.h. Integers are little groups of seven bits, lowest first, the eighth set where more
 * follow; signed ones are folded so that small negative values stay short. A text is its length and its bytes. */
#include "envelope_pack.h"

#include "err.h"

enum { PACK_VERSION = 1, INTEGER_MAX = 10 /* bytes of the longest */ };

enum { FLAG_SMTPUTF8 = 1, FLAG_DSN = 2, FLAG_LONG_LINES = 4, FLAGS_ALL = 7 };

struct packer {
    struct buf *out;
    int rc; /* the first error; what follows is ignored */
};

static void put_bytes(struct packer *p, struct slice s)
{
    if (p->rc == 0)
        p->rc = buf_add(p->out, s);
}

static void put_unsigned(struct packer *p, uint64_t v)
{
    char bytes[INTEGER_MAX];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
    put_bytes(p, slice_make(bytes, n));
}

static void put_signed(struct packer *p, int64_t v)
{
    put_unsigned(p, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_text(struct packer *p, struct slice s)
{
    put_unsigned(p, s.n);
    put_bytes(p, s);
}

static void put_reply(struct packer *p, const struct last_reply *r)
{
    put_signed(p, r->time_ms);
    if (r->time_ms == 0)
        return;
    put_unsigned(p, r->stage);
    put_signed(p, r->code);
    put_text(p, r->enhanced);
    put_text(p, r->text);
    put_text(p, r->mx);
}

static void put_details(struct packer *p, const struct envelope_rcpt *r)
{
    put_text(p, r->address);
    put_text(p, r->orcpt);
    put_unsigned(p, r->notify);
    put_unsigned(p, r->delay_notified);
    put_reply(p, &r->reply);
}

int envelope_pack_head(struct buf *out, const struct envelope *e)
{
    struct packer p = { out, 0 };

    put_unsigned(&p, PACK_VERSION);
    put_unsigned(&p, (e->smtputf8 ? FLAG_SMTPUTF8 : 0) | (e->is_dsn ? FLAG_DSN : 0) | (e->long_lines ? FLAG_LONG_LINES : 0));
    put_unsigned(&p, e->ret);
    put_unsigned(&p, e->body_type);
    put_signed(&p, e->received_ms);
    put_signed(&p, e->expires_ms);
    put_signed(&p, e->size);
    put_text(&p, e->tenant);
    put_text(&p, e->user);
    put_text(&p, e->client_ip);
    put_text(&p, e->job);
    put_text(&p, e->pool);
    put_text(&p, e->reverse_path);
    put_text(&p, e->envid);
    return p.rc;
}

int envelope_pack_rcpts(struct buf *out, const struct envelope *e)
{
    struct packer p = { out, 0 };

    put_unsigned(&p, (uint64_t)e->rcpt_count);
    for (int i = 0; i < e->rcpt_count; i++) {
        const struct envelope_rcpt *r = &e->rcpts[i];
        bool same = i > 0 && r->queue.id == e->rcpts[i - 1].queue.id;

        put_unsigned(&p, r->number);
        put_unsigned(&p, same ? 0 : r->queue.id); /* 0: as the one before */
        if (!same) {
            put_text(&p, slice_eq(r->queue.tenant, e->tenant) ? SLICE_NONE : r->queue.tenant);
            put_text(&p, r->queue.vmta);
            put_text(&p, r->queue.domain);
        }
        put_signed(&p, r->due_ms);
        put_signed(&p, r->attempts);
        put_details(&p, r);
    }
    return p.rc;
}

int envelope_pack_details(struct buf *out, const struct envelope_rcpt *r)
{
    struct packer p = { out, 0 };

    put_unsigned(&p, PACK_VERSION);
    put_details(&p, r);
    return p.rc;
}

int envelope_pack_reply(struct buf *out, const struct last_reply *r)
{
    struct packer p = { out, 0 };

    put_unsigned(&p, PACK_VERSION);
    put_reply(&p, r);
    return p.rc;
}

struct unpacker {
    struct slice in;
    bool bad;
};

static uint64_t get_unsigned(struct unpacker *u)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && u->in.n > 0; shift += 7) {
        uint8_t byte = (uint8_t)*u->in.p;

        u->in = slice_skip(u->in, 1);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    u->bad = true;
    return 0;
}

static int64_t get_signed(struct unpacker *u)
{
    uint64_t v = get_unsigned(u);

    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static int get_int(struct unpacker *u, int64_t low, int64_t high)
{
    int64_t v = get_signed(u);

    if (v < low || v > high) {
        u->bad = true;
        return 0;
    }
    return (int)v;
}

/* An enumeration or a set of bits below `end`. */
static unsigned get_small(struct unpacker *u, unsigned end)
{
    uint64_t v = get_unsigned(u);

    if (v >= end) {
        u->bad = true;
        return 0;
    }
    return (unsigned)v;
}

static struct slice get_text(struct unpacker *u)
{
    uint64_t n = get_unsigned(u);
    struct slice s;

    if (n > u->in.n) {
        u->bad = true;
        return SLICE_NONE;
    }
    s = slice_head(u->in, (size_t)n);
    u->in = slice_skip(u->in, (size_t)n);
    return s.n ? s : SLICE_NONE;
}

static void get_reply(struct unpacker *u, struct last_reply *r)
{
    *r = (struct last_reply){ .time_ms = get_signed(u) };
    if (r->time_ms == 0)
        return;
    r->stage = get_small(u, STAGES);
    r->code = get_int(u, 0, 999);
    r->enhanced = get_text(u);
    r->text = get_text(u);
    r->mx = get_text(u);
}

enum { NOTIFY_END = (NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY) + 1 };

static void get_details(struct unpacker *u, struct envelope_rcpt *r)
{
    r->address = get_text(u);
    r->orcpt = get_text(u);
    r->notify = get_small(u, NOTIFY_END);
    r->delay_notified = get_small(u, 2) != 0;
    get_reply(u, &r->reply);
}

static bool version_is_known(struct unpacker *u)
{
    return get_unsigned(u) == PACK_VERSION && !u->bad;
}

int envelope_unpack_head(struct slice *in, struct envelope *e)
{
    struct unpacker u = { *in, false };
    struct slice *const texts[] = { &e->tenant, &e->user, &e->client_ip, &e->job, &e->pool, &e->reverse_path, &e->envid };
    unsigned flags;

    if (!version_is_known(&u))
        return FL_ECORRUPT;
    flags = get_small(&u, FLAGS_ALL + 1);
    e->smtputf8 = flags & FLAG_SMTPUTF8;
    e->is_dsn = flags & FLAG_DSN;
    e->long_lines = flags & FLAG_LONG_LINES;
    e->ret = get_small(&u, RET_HDRS + 1);
    e->body_type = get_small(&u, BODY_BINARY + 1);
    e->received_ms = get_signed(&u);
    e->expires_ms = get_signed(&u);
    e->size = get_signed(&u);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice s = get_text(&u);

        *texts[i] = s.n ? envelope_text(e, s) : SLICE_NONE;
        if (s.n && !texts[i]->p)
            return FL_ENOMEM;
    }
    if (u.bad)
        return FL_ECORRUPT;
    *in = u.in;
    return 0;
}

int envelope_unpack_rcpts(struct slice *in, struct envelope *e)
{
    struct unpacker u = { *in, false };
    uint64_t count = get_unsigned(&u), last = 0;
    struct queue_key queue = { 0 };

    for (uint64_t i = 0; i < count && !u.bad; i++) {
        struct envelope_rcpt r = { 0 }, *added;
        uint64_t number = get_unsigned(&u), id = get_unsigned(&u);

        if (number > UINT32_MAX || (i == 0 ? id == 0 : number <= last)) /* the first names its queue; numbers rise */
            u.bad = true;
        last = number;
        if (id) {
            queue.id = id;
            queue.tenant = get_text(&u);
            if (queue.tenant.n == 0)
                queue.tenant = e->tenant;
            queue.vmta = get_text(&u);
            queue.domain = get_text(&u);
        }
        r.queue = queue;
        r.due_ms = get_signed(&u);
        r.attempts = get_int(&u, 0, INT32_MAX);
        get_details(&u, &r);
        if (u.bad)
            break;
        added = envelope_add_rcpt(e, &r);
        if (!added)
            return FL_ENOMEM;
        added->number = (uint32_t)number;
    }
    if (u.bad)
        return FL_ECORRUPT;
    *in = u.in;
    return 0;
}

int envelope_unpack_details(struct slice in, struct envelope_rcpt *r)
{
    struct unpacker u = { in, false };

    if (version_is_known(&u))
        get_details(&u, r);
    return u.bad || u.in.n ? FL_ECORRUPT : 0;
}

int envelope_unpack_reply(struct slice in, struct last_reply *r)
{
    struct unpacker u = { in, false };

    *r = (struct last_reply){ 0 };
    if (in.n == 0)
        return 0;
    if (version_is_known(&u))
        get_reply(&u, r);
    return u.bad || u.in.n ? FL_ECORRUPT : 0;
}
