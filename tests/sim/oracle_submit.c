/* oracle_submit.c: messages are made, handed in, and their answers noted. See oracle.h. */
#include <stdio.h>
#include <stdlib.h>

#include "oracle_books.h"

enum { LINE = 76 };

/* Lines of all lengths, cut out of one row of letters; some begin with a dot. */
void oracle_body(const struct message *m, struct buf *b)
{
    static const char letters[] = "thequickbrownfoxjumpsoverthelazydogandpacksmyboxwithfivedozenliquorjugswhileabrightvixenwaltzes"
                                  "bynymphsgrabquickjivingoldsphinxofblackquartzjudgemyvowhowvexinglyquickdaftzebrasjump";
    struct rand r;
    int n = 0;

    rand_seed(&r, m->seed);
    while (n < m->length) {
        uint64_t dice = rand_next(&r);
        int k = 1 + (int)(dice % LINE);

        if (dice >> 32 & 7)
            buf_add(b, slice_make(letters + (dice >> 16 & 0xffff) % (sizeof letters - LINE), (size_t)k));
        else
            buf_add(b, slice_make("..................... a line of nothing but dots, or nearly .................", (size_t)k));
        buf_add_text(b, "\r\n");
        n += k + 2;
    }
}

/* Header and content in wire form: lines that begin with a dot are stuffed. */
static struct body *wire_form(struct oracle *o, const struct message *m, const char *job, uint64_t *ret_size)
{
    struct buf plain, wire;
    struct slice rest;
    struct body *body = body_new(&o->world->budget);

    buf_init(&plain, 0);
    buf_init(&wire, 0);
    buf_printf(&plain, "From: <%s>\r\nSubject: message %d\r\n%s%s%s\r\n", m->sender, m->number, job ? "X-Fairlead-Job: " : "",
               job ? job : "", job ? "\r\n" : "");
    oracle_body(m, &plain);
    rest = buf_slice(&plain);
    *ret_size = rest.n;
    while (rest.n) {
        struct slice line = slice_head(rest, slice_find(rest, '\n') + 1);

        if (line.p[0] == '.')
            buf_add_char(&wire, '.');
        buf_add(&wire, line);
        rest = slice_skip(rest, line.n);
    }
    if (!body || body_add(body, buf_slice(&wire)) < 0)
        abort();
    buf_free(&plain);
    buf_free(&wire);
    return body;
}

static void on_answer(void *arg, const struct ingest_reply *reply)
{
    struct message *m = arg;
    struct world *w = m->oracle->world;

    if (m->state != OFFERED)
        world_broken(w, "message %d is answered twice", m->number);
    m->state = reply->code == 250 ? ACCEPTED : REFUSED;
    if (m->state == ACCEPTED)
        oracle_judge_quota(m->oracle, m);
    world_tell(w, "m%d %s: %d %s", m->number, m->state == ACCEPTED ? "accepted" : "refused", reply->code, reply->enhanced);
}

static void fill_origin(struct message *m, struct conf *conf)
{
    struct inet_addr client;

    inet_addr_parse(SLICE("203.0.113.5"), &client);
    m->origin = (struct ingest_origin){
        .conf = conf, .source = conf_source(conf, &client), .role = ROLE_SUBMISSION,
        .tenant = conf_tenant(conf, slice_of(m->tenant)), .client = client, .helo = SLICE("client.test"),
        .is_esmtp = true, .is_auth = true,
    };
}

int oracle_submit(struct oracle *o, const struct submission *s)
{
    struct message *m = calloc(1, sizeof *m);
    struct ingest_message im = { .dot_ms = o->world->now.mono_ms };

    if (!m || o->count == MESSAGES)
        abort();
    *m = (struct message){ .oracle = o, .number = o->count, .count = s->count, .length = s->length,
                            .seed = rand_next(&o->world->rand), .offered_ms = o->world->now.wall_ms };
    snprintf(m->tenant, sizeof m->tenant, "%s", s->tenant);
    snprintf(m->sender, sizeof m->sender, "s%d@%s", m->number, s->sender_domain);
    o->messages[o->count++] = m;
    fill_origin(m, relay_conf(o->world->relay));
    if (s->job && m->origin.tenant && m->origin.tenant->steering_headers)
        snprintf(m->job, sizeof m->job, "%s", s->job);
    for (int i = 0; i < s->count; i++) {
        snprintf(m->rcpts[i].address, TEXT, "m%dr%d@%s", m->number, i, s->domains[i]);
        m->to[i] = (struct ingest_rcpt){ .address = slice_of(m->rcpts[i].address), .domain = slice_of(s->domains[i]) };
        world_tell(o->world, "m%d from %s to %s", m->number, m->sender, m->rcpts[i].address);
    }
    if (!m->origin.tenant) {
        m->state = REFUSED; /* the configuration has it no more */
        return m->number;
    }
    m->offered_mono_ms = o->world->now.mono_ms;
    m->life = o->world->lives;
    m->max_queued = m->origin.tenant->max_queued_recipients;
    m->max_rate = m->origin.tenant->max_accept_rate;
    im.origin = &m->origin;
    im.reverse_path = slice_of(m->sender);
    im.reverse_path_domain = slice_of(s->sender_domain);
    im.rcpts = m->to;
    im.rcpt_count = m->count;
    im.body = wire_form(o, m, s->job, &im.size);
    ingest_message(relay_ingest(o->world->relay), &im, on_answer, m);
    return m->number;
}
