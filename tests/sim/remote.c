/* remote.c: see remote.h. A small SMTP server that is asked for its mood before each reply. What it decides about a recipient,
 * and whether the relay heard of it, the oracle is told. */
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "oracle.h"
#include "resolver_sim.h"
#include "stream_sim.h"
#include "traffic.h"

enum { TEXT = 256, RCPTS_MAX = 100, CUT_WITHIN = 3000, GREY = 512 };

enum { FLOOD = 2 << 20 };

enum peer_state { PEER_BANNER, PEER_COMMAND, PEER_DATA, PEER_CHUNK, PEER_ENDED };
enum after { GO_ON, CLOSE, DROP };

/* What was decided about a recipient; and the relay has heard it once it has read so many bytes. */
struct verdict {
    char rcpt[TEXT];
    bool yes;
    uint64_t offset; /* UINT64_MAX: not said yet */
    bool heard;
};

struct peer {
    LIST_ENTRY(peer) link;         /* remote->peers */
    struct remote *remote;
    struct wire *wire;
    struct inet_addr source;
    enum peer_state state;
    struct buf in, held, content;
    enum after after;              /* of the held reply */
    struct timer timer;
    bool waits;                    /* a reply is held back */
    bool secure, lied, one_too_many;
    uint64_t chunk;
    bool last_chunk;
    uint64_t taken, number;        /* bytes of what arrived; of the connection, in its world */
    int sent;                      /* its last transaction in the list of traffic, or -1 */
    bool in_transaction;
    int64_t command_ms, before_ms; /* when the command in hand left the relay, and the one before it (mono) */
    int64_t mail_ms, early_ms;     /* the same of MAIL */
    char ehlo[TEXT], from[TEXT], login[TEXT];
    bool has_from;
    char (*rcpts)[TEXT];           /* RCPTS_MAX */
    int rcpt_count;
    struct verdict *verdicts;
    int verdict_count, verdict_room;
    int life;                      /* of the world, in which it began */
};

static void work(struct peer *p);

/* ---------------------------------------------------------------- transactions, as the list of traffic has them */
static struct traffic *traffic_of(const struct peer *p)
{
    return p->remote->world->traffic;
}

/* The DSN's recipient tells whose it is; that of other mail its sender. */
static void note_rcpt(struct peer *p, const char *rcpt)
{
    const char *from = strchr(p->from, '@'), *to = strchr(rcpt, '@');

    if (!to || (*p->from && !from))
        return;
    if (!p->in_transaction) {
        struct sent known = { .at_ms = p->mail_ms, .early_ms = p->early_ms, .life = p->life, .connection = p->number, .source = p->source,
                              .site = p->remote->site, .before_it = p->sent, .is_dsn = !*p->from };

        p->sent = traffic_begin(traffic_of(p), &known, from ? from + 1 : to + 1);
    }
    p->in_transaction = true;
    traffic_at(traffic_of(p), p->sent)->lied |= p->lied;
    traffic_rcpt(traffic_of(p), p->sent, to + 1);
}

static void end_transaction(struct peer *p)
{
    if (p->in_transaction)
        traffic_at(traffic_of(p), p->sent)->end_offset = UINT64_MAX;
    p->in_transaction = false;
}

/* The last word about what has ended is in what was said up to now. */
static void note_last_words(struct peer *p)
{
    for (int i = p->sent; i >= 0 && traffic_at(traffic_of(p), i)->until_ms == NEVER_MS; i = traffic_at(traffic_of(p), i)->before_it)
        if (traffic_at(traffic_of(p), i)->end_offset == UINT64_MAX)
            traffic_at(traffic_of(p), i)->end_offset = wire_said(p->wire);
}

static void note_ends(struct peer *p, uint64_t heard, int64_t at_ms)
{
    for (int i = p->sent; i >= 0; i = traffic_at(traffic_of(p), i)->before_it) {
        struct sent *s = traffic_at(traffic_of(p), i);

        if (s->until_ms != NEVER_MS)
            break;
        if (heard == UINT64_MAX || (s->end_offset && s->end_offset <= heard))
            s->until_ms = at_ms;
    }
}

/* ---------------------------------------------------------------- verdicts */
static void note_verdict(struct peer *p, const char *rcpt, bool yes)
{
    struct verdict *v;

    if (p->verdict_count == p->verdict_room) {
        p->verdict_room = p->verdict_room ? 2 * p->verdict_room : 8;
        p->verdicts = realloc(p->verdicts, (size_t)p->verdict_room * sizeof *p->verdicts);
        if (!p->verdicts)
            abort();
    }
    v = &p->verdicts[p->verdict_count++];
    *v = (struct verdict){ .yes = yes, .offset = UINT64_MAX };
    snprintf(v->rcpt, sizeof v->rcpt, "%s", rcpt);
}

/* All that was decided before this reply is in it. */
static void say(struct peer *p, struct slice bytes)
{
    wire_say(p->wire, bytes);
    for (int i = 0; i < p->verdict_count; i++)
        if (p->verdicts[i].offset == UINT64_MAX)
            p->verdicts[i].offset = wire_said(p->wire);
    note_last_words(p);
}

static void on_heard(void *arg, uint64_t bytes)
{
    struct peer *p = arg;

    note_ends(p, bytes, p->remote->world->now.mono_ms);
    for (int i = 0; i < p->verdict_count; i++) {
        struct verdict *v = &p->verdicts[i];

        if (v->heard || v->offset > bytes)
            continue;
        v->heard = true;
        if (v->yes)
            oracle_yes_heard(p->remote->world->oracle, v->rcpt, !p->lied);
        else if (!p->lied)
            oracle_later_heard(p->remote->world->oracle, v->rcpt, &p->source);
    }
}

/* ---------------------------------------------------------------- replies */
static void perform(struct peer *p, enum after after)
{
    if (after == GO_ON)
        return;
    if (after == CLOSE)
        wire_close(p->wire);
    else
        wire_reset(p->wire);
    p->state = PEER_ENDED;
}

static void let_go(struct peer *p)
{
    p->waits = false;
    if (buf_len(&p->held))
        say(p, buf_slice(&p->held));
    buf_clear(&p->held);
    perform(p, p->after);
}

static void on_time(void *arg)
{
    let_go(arg);
    work(arg);
}

/* More than anybody should listen to. */
static void flood(struct peer *p)
{
    static const char line[] = "250-and a word more, and another one, and so on\r\n";
    size_t n = world_dice(p->remote->world, 500) ? sizeof line - 1 : sizeof line - 3; /* with line ends, or without any */

    p->lied = true;
    while (buf_len(&p->held) < FLOOD)
        buf_add(&p->held, slice_make(line, n));
}

static void reply(struct peer *p, int64_t wait_ms, enum after after, const char *text)
{
    struct world *w = p->remote->world;

    if (world_dice(w, p->remote->mood.nonsense)) {
        p->lied = true;
        text = world_dice(w, 500) ? "2x0 whatever\r\n" : "\x01\xff\r\n";
    }
    if (world_dice(w, p->remote->mood.floods))
        flood(p);
    buf_add_text(&p->held, text);
    if (world_dice(w, p->remote->mood.unasked)) {
        p->lied = true;
        for (int i = 0; i < p->rcpt_count; i++)
            oracle_lied(w->oracle, p->rcpts[i]);
        buf_add_text(&p->held, "250 2.0.0 and one more\r\n");
    }
    p->after = after;
    p->waits = true;
    if (wait_ms == 0)
        let_go(p);
    else
        (void)timer_set(&w->events, &p->timer, w->now.mono_ms + wait_ms);
}

/* What the mood says at this stage. True: yes, and nothing was said. */
static bool agrees(struct peer *p, enum remote_stage at, int64_t wait_ms)
{
    static const char *const names[REMOTE_STAGES] = { "banner", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "the dot" };
    struct world *w = p->remote->world;
    const struct mood *m = &p->remote->mood;
    char text[TEXT];

    if (world_dice(w, m->drops[at])) {
        reply(p, wait_ms, DROP, "");
    } else if (world_dice(w, m->closes[at])) {
        reply(p, wait_ms, CLOSE, "421 4.3.2 not now\r\n");
    } else if (world_dice(w, m->no4[at]) || world_dice(w, m->no5[at])) {
        bool five = !world_dice(w, m->no4[at] * 1000 / (m->no4[at] + m->no5[at]));

        if (at >= AT_DATA)
            end_transaction(p);
        if (at == AT_MAIL)
            oracle_mail_refused(w->oracle, p->from, !p->lied);
        if (at == AT_RCPT)
            five ? oracle_no(w->oracle, p->rcpts[p->rcpt_count]) : note_verdict(p, p->rcpts[p->rcpt_count], false);
        for (int i = 0; i < p->rcpt_count && at > AT_RCPT; i++)
            five ? oracle_no(w->oracle, p->rcpts[i]) : note_verdict(p, p->rcpts[i], false);
        snprintf(text, sizeof text, five ? "554 5.7.1 no (%s)\r\n" : "451 4.7.1 later (%s)\r\n", names[at]);
        reply(p, wait_ms, at == AT_BANNER ? CLOSE : GO_ON, text);
    } else {
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- commands */
static void forget_transaction(struct peer *p)
{
    end_transaction(p);
    p->has_from = false;
    p->rcpt_count = 0;
    buf_clear(&p->content);
}

static void on_ehlo(struct peer *p, struct slice arg, bool helo)
{
    const struct mood *m = &p->remote->mood;
    char text[TEXT];

    snprintf(p->ehlo, sizeof p->ehlo, "%.*s", SLICE_ARG(arg)); /* whatever is answered: one reply too many may be taken for a yes */
    if (m->only_helo && !helo) {
        reply(p, m->reply_ms, GO_ON, "502 5.5.1 what?\r\n");
        return;
    }
    if (!agrees(p, AT_EHLO, m->reply_ms))
        return;
    forget_transaction(p);
    snprintf(text, sizeof text, "250-%s\r\n%s%s%s%s250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n", p->remote->name,
             m->tls && !p->secure ? "250-STARTTLS\r\n" : "", m->no_pipelining ? "" : "250-PIPELINING\r\n",
             m->no_chunking ? "" : "250-CHUNKING\r\n", m->auth ? "250-AUTH PLAIN\r\n" : "");
    reply(p, m->reply_ms, GO_ON, helo ? "250 ok\r\n" : text);
}

static void on_starttls(struct peer *p)
{
    const struct mood *m = &p->remote->mood;

    if (!m->tls || p->secure)
        reply(p, m->reply_ms, GO_ON, "502 5.5.1 no TLS\r\n");
    else if (agrees(p, AT_STARTTLS, m->reply_ms))
        reply(p, m->reply_ms, GO_ON, "220 2.0.0 go ahead\r\n");
}

/* "PLAIN " and base64 of NUL user NUL password (RFC 4616). */
static void on_auth(struct peer *p, struct slice arg)
{
    const struct mood *m = &p->remote->mood;
    struct buf plain;
    struct slice user;

    slice_cut(&arg, ' ');
    buf_init(&plain, TEXT);
    if (base64_decode(arg, &plain) < 0) {
        reply(p, m->reply_ms, GO_ON, "501 5.5.2 what?\r\n");
        return;
    }
    user = slice_skip(buf_slice(&plain), 1);
    snprintf(p->login, sizeof p->login, "%.*s", (int)slice_find(user, '\0'), user.p);
    buf_free(&plain);
    if (m->refused_login && strcmp(p->login, m->refused_login) == 0)
        reply(p, m->reply_ms, GO_ON, "535 5.7.8 no\r\n");
    else
        reply(p, m->reply_ms, GO_ON, "235 2.7.0 welcome\r\n");
}

static void copy_path(struct slice arg, char ret[TEXT])
{
    struct slice rest = arg, path;

    slice_cut(&rest, '<');
    path = slice_cut(&rest, '>');
    snprintf(ret, TEXT, "%.*s", SLICE_ARG(path));
}

static void on_mail(struct peer *p, struct slice arg)
{
    const struct mood *m = &p->remote->mood;
    const char *at;

    copy_path(arg, p->from);
    p->mail_ms = p->command_ms;
    p->early_ms = p->before_ms;
    at = strchr(p->from, '@');
    oracle_mail(p->remote->world->oracle, p->remote, &p->source, p->ehlo, p->from, p->login);
    if (p->lied)
        oracle_mail_refused(p->remote->world->oracle, p->from, false); /* whatever reply it takes for this one's */
    if (m->refused_sender && at && strcmp(at + 1, m->refused_sender) == 0) {
        oracle_mail_refused(p->remote->world->oracle, p->from, !p->lied);
        reply(p, m->reply_ms, GO_ON, "451 4.7.1 not from this sender\r\n");
        return;
    }
    if (!agrees(p, AT_MAIL, m->reply_ms))
        return;
    p->has_from = true;
    reply(p, m->reply_ms, GO_ON, "250 2.1.0 ok\r\n");
}

static void on_rcpt(struct peer *p, struct slice arg)
{
    const struct mood *m = &p->remote->mood;
    struct world *w = p->remote->world;
    char *rcpt = p->rcpts[p->rcpt_count];

    copy_path(arg, rcpt);
    if (p->lied)
        oracle_lied(w->oracle, rcpt);
    if (!p->has_from || p->rcpt_count + 1 == RCPTS_MAX) {
        reply(p, m->reply_ms, GO_ON, "503 5.5.1 MAIL first\r\n");
        return;
    }
    note_rcpt(p, rcpt);
    oracle_rcpt(w->oracle, p->remote, &p->source, p->from, rcpt, p->mail_ms, p->life != w->lives);
    if (m->refused_rcpts_of && strchr(p->from, '@') && strcmp(strchr(p->from, '@') + 1, m->refused_rcpts_of) == 0) {
        note_verdict(p, rcpt, false);
        reply(p, m->reply_ms, GO_ON, "451 4.7.1 not from this sender\r\n");
        return;
    }
    if (m->greylist_ms && w->now.mono_ms - oracle_first_seen(w->oracle, rcpt) < m->greylist_ms) {
        note_verdict(p, rcpt, false);
        reply(p, m->reply_ms, GO_ON, "451 4.7.1 greylisted\r\n");
        return;
    }
    if (!agrees(p, AT_RCPT, m->reply_ms))
        return;
    p->rcpt_count++;
    if (p->in_transaction)
        traffic_at(traffic_of(p), p->sent)->taken++;
    reply(p, m->reply_ms, GO_ON, "250 2.1.5 ok\r\n");
}

static void on_data(struct peer *p)
{
    const struct mood *m = &p->remote->mood;

    if (p->rcpt_count == 0 && !(m->eager && p->has_from)) {
        reply(p, m->reply_ms, GO_ON, "503 5.5.1 RCPT first\r\n");
    } else if (p->rcpt_count == 0 || agrees(p, AT_DATA, m->reply_ms)) {
        p->state = PEER_DATA;
        buf_clear(&p->content);
        reply(p, m->reply_ms, GO_ON, "354 go ahead\r\n");
    }
}

static void on_bdat(struct peer *p, struct slice arg)
{
    struct slice last = arg, number = slice_cut(&last, ' ');

    if (!slice_to_u64(number, 1 << 30, &p->chunk))
        p->chunk = 0;
    p->last_chunk = slice_starts_nocase(last, SLICE("LAST"));
    p->state = PEER_CHUNK;
}

/* The whole content is here. It counts as taken from now on, whatever becomes of the reply. */
static void on_dot(struct peer *p)
{
    const struct mood *m = &p->remote->mood;
    struct world *w = p->remote->world;

    p->state = PEER_COMMAND;
    if (p->rcpt_count == 0 && buf_len(&p->content) > 0 && !p->lied && !m->false_chunking)
        world_broken(w, "content is sent to %s though no recipient was accepted", p->remote->name);
    if (p->rcpt_count == 0) {
        forget_transaction(p);
        reply(p, m->reply_ms, GO_ON, "503 5.5.1 RCPT first\r\n");
        return;
    }
    end_transaction(p);
    if (agrees(p, AT_DOT, m->reply_ms + m->dot_ms)) {
        oracle_content(w->oracle, p->remote, p->rcpts[0], buf_slice(&p->content));
        for (int i = 0; i < p->rcpt_count; i++) {
            p->remote->delivered++;
            oracle_yes(w->oracle, p->rcpts[i], p->life != w->lives);
            note_verdict(p, p->rcpts[i], true);
        }
        forget_transaction(p);
        reply(p, m->reply_ms + m->dot_ms, GO_ON, "250 2.0.0 taken\r\n");
        return;
    }
    forget_transaction(p);
}

/* What was taken out of the input last is a command, or the end of the content. */
static void note_moment(struct peer *p)
{
    p->before_ms = p->command_ms;
    p->command_ms = wire_sent_ms(p->wire, p->taken - buf_len(&p->in));
}

static void command(struct peer *p, struct slice line)
{
    struct slice arg = line, verb = slice_cut(&arg, ' ');
    int64_t wait = p->remote->mood.reply_ms;

    if (slice_eq_nocase(verb, SLICE("EHLO")) || slice_eq_nocase(verb, SLICE("HELO")))
        on_ehlo(p, arg, slice_eq_nocase(verb, SLICE("HELO")));
    else if (slice_eq_nocase(verb, SLICE("STARTTLS")))
        on_starttls(p);
    else if (slice_eq_nocase(verb, SLICE("AUTH")))
        on_auth(p, arg);
    else if (slice_eq_nocase(verb, SLICE("MAIL")))
        on_mail(p, arg);
    else if (slice_eq_nocase(verb, SLICE("RCPT")))
        on_rcpt(p, arg);
    else if (slice_eq_nocase(verb, SLICE("DATA")))
        on_data(p);
    else if (slice_eq_nocase(verb, SLICE("BDAT")))
        on_bdat(p, arg);
    else if (slice_eq_nocase(verb, SLICE("QUIT")))
        reply(p, wait, CLOSE, "221 2.0.0 bye\r\n");
    else if (slice_eq_nocase(verb, SLICE("RSET"))) {
        forget_transaction(p);
        reply(p, wait, GO_ON, "250 2.0.0 ok\r\n");
    } else
        reply(p, wait, GO_ON, "500 5.5.2 what?\r\n");
}

/* ---------------------------------------------------------------- input */
static bool take_line(struct peer *p)
{
    struct slice in = buf_slice(&p->in);
    size_t n = slice_find(in, '\n');
    char line[4096];

    if (n == in.n)
        return false;
    snprintf(line, sizeof line, "%.*s", (int)(n > 0 && in.p[n - 1] == '\r' ? n - 1 : n), in.p);
    if (p->state == PEER_DATA && strcmp(line, ".") == 0) {
        buf_consume(&p->in, n + 1);
        note_moment(p);
        on_dot(p);
    } else if (p->state == PEER_DATA) {
        struct slice whole = slice_head(in, n + 1);

        buf_add(&p->content, in.p[0] == '.' ? slice_skip(whole, 1) : whole);
        buf_consume(&p->in, n + 1);
    } else {
        buf_consume(&p->in, n + 1);
        note_moment(p);
        command(p, slice_of(line));
    }
    return true;
}

/* It was offered, and is not known after all: as 5xx to DATA. */
static void refuse_chunk(struct peer *p)
{
    p->state = PEER_COMMAND;
    for (int i = 0; i < p->rcpt_count; i++)
        oracle_no(p->remote->world->oracle, p->rcpts[i]);
    forget_transaction(p);
    reply(p, p->remote->mood.reply_ms, GO_ON, "502 5.5.1 what?\r\n");
}

static bool take_chunk(struct peer *p)
{
    struct slice in = slice_head(buf_slice(&p->in), (size_t)p->chunk);

    if (p->chunk > in.n && in.n == 0)
        return false;
    buf_add(&p->content, in);
    p->chunk -= in.n;
    buf_consume(&p->in, in.n);
    if (p->chunk > 0)
        return true;
    note_moment(p);
    if (p->remote->mood.false_chunking) {
        refuse_chunk(p);
        return true;
    }
    if (p->last_chunk) {
        on_dot(p);
    } else {
        p->state = PEER_COMMAND;
        reply(p, p->remote->mood.reply_ms, GO_ON, "250 2.0.0 go on\r\n");
    }
    return true;
}

static void work(struct peer *p)
{
    while (!p->waits && p->state != PEER_ENDED && p->state != PEER_BANNER &&
           (p->state == PEER_CHUNK ? take_chunk(p) : take_line(p)))
        ;
}

static void on_bytes(void *arg, struct slice in)
{
    struct peer *p = arg;

    if (buf_add(&p->in, in) < 0)
        abort();
    p->taken += in.n;
    work(p);
}

static void on_tls(void *arg, const char *host)
{
    struct peer *p = arg;
    bool ok = !world_dice(p->remote->world, p->remote->mood.tls_fails);

    p->secure = true;
    buf_clear(&p->in);
    wire_shake(p->wire, ok, !p->remote->mood.unverified);
}

static void on_gone(void *arg)
{
    struct peer *p = arg;
    struct world *w = p->remote->world;

    timer_stop(&w->events, &p->timer);
    note_ends(p, UINT64_MAX, wire_left_ms(p->wire) ? wire_left_ms(p->wire) : w->now.mono_ms);
    for (int i = 0; i < p->verdict_count; i++)
        if (p->verdicts[i].yes && !p->verdicts[i].heard && p->life == w->lives)
            oracle_yes_lost(w->oracle, p->verdicts[i].rcpt);
    LIST_REMOVE(p, link);
    buf_free(&p->in);
    buf_free(&p->held);
    buf_free(&p->content);
    free(p->verdicts);
    free(p->rcpts);
    free(p);
}

static const struct wire_end peer_end = { .on_bytes = on_bytes, .on_tls = on_tls, .on_heard = on_heard, .on_gone = on_gone };

/* ---------------------------------------------------------------- who comes */
static void cut_some(struct peer *p)
{
    struct world *w = p->remote->world;
    const struct mood *m = &p->remote->mood;

    if (world_dice(w, m->cuts))
        wire_cut_after(p->wire, world_dice(w, 500), world_below(w, CUT_WITHIN), world_dice(w, m->cuts_silently));
}

static void greet(struct peer *p)
{
    const struct mood *m = &p->remote->mood;

    p->state = PEER_COMMAND;
    if (p->one_too_many)
        reply(p, m->reply_ms, CLOSE, "421 4.7.0 too many connections\r\n");
    else if (agrees(p, AT_BANNER, m->reply_ms))
        reply(p, m->reply_ms, GO_ON, "220 mx ready\r\n");
}

static void on_greet(void *arg)
{
    struct peer *p = arg;

    timer_init(&p->timer, on_time, p);
    greet(p);
}

static int held_of(const struct remote *r)
{
    const struct peer *p;
    int n = 0;

    LIST_FOREACH(p, &r->peers, link)
        n += wire_is_held(p->wire);
    return n;
}

enum wire_fate remote_connected(struct world *world, struct wire *wire, const struct inet_endpoint *dest,
                                const struct wire_end **ret_end, void **ret_arg, int64_t *ret_latency_ms)
{
    struct remote *r = (struct remote *)remote_at(world, &dest->addr);
    struct peer *p;

    if (!r || world_dice(world, r->mood.silent))
        return WIRE_SILENT;
    *ret_latency_ms = r->latency_ms;
    if (world_dice(world, r->mood.refuses))
        return WIRE_REFUSED;
    p = calloc(1, sizeof *p);
    if (!p || !(p->rcpts = malloc(RCPTS_MAX * sizeof *p->rcpts)))
        abort();
    p->remote = r;
    p->sent = -1;
    p->number = world->connections++;
    p->wire = wire;
    p->source = wire_source(wire);
    p->life = world->lives;
    p->one_too_many = r->mood.most_connections && held_of(r) >= r->mood.most_connections;
    LIST_INSERT_HEAD(&r->peers, p, link);
    buf_init(&p->in, 0);
    buf_init(&p->held, 0);
    buf_init(&p->content, 0);
    timer_init(&p->timer, on_greet, p);
    (void)timer_set(&world->events, &p->timer, world->now.mono_ms);
    cut_some(p);
    *ret_end = &peer_end;
    *ret_arg = p;
    return WIRE_OPEN;
}

/* ---------------------------------------------------------------- hosts */
struct remote *remote_add(struct world *w, const char *name, const char *address, int site)
{
    struct remote *r = calloc(1, sizeof *r);

    if (!r || !inet_addr_parse(slice_of(address), &r->addr))
        abort();
    r->world = w;
    r->name = name;
    r->site = site;
    r->latency_ms = 5;
    r->next = w->remotes;
    w->remotes = r;
    dns_address(w, name, address);
    return r;
}

struct remote *remote_of_site(const struct world *w, int site)
{
    struct remote *r = w->remotes;

    while (r && r->site != site)
        r = r->next;
    return r;
}

const struct remote *remote_at(const struct world *w, const struct inet_addr *addr)
{
    const struct remote *r = w->remotes;

    while (r && !inet_addr_eq(&r->addr, addr))
        r = r->next;
    return r;
}

const char *remote_name(const struct world *world, const struct inet_addr *addr)
{
    const struct remote *r = remote_at(world, addr);

    return r ? r->name : "nobody";
}

void remotes_free(struct world *w)
{
    struct remote *r;

    while ((r = w->remotes)) {
        w->remotes = r->next;
        free(r);
    }
}
