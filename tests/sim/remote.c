/* remote.c: see remote.h. A small SMTP server that is asked for its mood before each reply. What it decides about a recipient,
 * and whether the relay heard of it, the oracle is told. */
#include "remote_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base64.h"
#include "resolver_sim.h"

enum { CUT_WITHIN = 3000, FLOOD = 2 << 20 };

static void work(struct peer *p);

/* ---------------------------------------------------------------- replies */
static void say(struct peer *p, struct slice bytes)
{
    wire_say(p->wire, bytes);
    peer_note_said(p);
}

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
    char text[PEER_TEXT];

    if (world_dice(w, m->drops[at])) {
        reply(p, wait_ms, DROP, "");
    } else if (world_dice(w, m->closes[at])) {
        reply(p, wait_ms, CLOSE, "421 4.3.2 not now\r\n");
    } else if (world_dice(w, m->no4[at]) || world_dice(w, m->no5[at])) {
        bool five = !world_dice(w, m->no4[at] * 1000 / (m->no4[at] + m->no5[at]));

        if (at >= AT_DATA)
            peer_end_transaction(p);
        if (at == AT_MAIL)
            oracle_mail_refused(w->oracle, p->from, !p->lied);
        if (at == AT_RCPT)
            five ? oracle_no(w->oracle, p->rcpts[p->rcpt_count]) : peer_note_verdict(p, p->rcpts[p->rcpt_count], false);
        for (int i = 0; i < p->rcpt_count && at > AT_RCPT; i++)
            five ? oracle_no(w->oracle, p->rcpts[i]) : peer_note_verdict(p, p->rcpts[i], false);
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
    peer_end_transaction(p);
    p->has_from = false;
    p->rcpt_count = 0;
    buf_clear(&p->content);
}

static void on_ehlo(struct peer *p, struct slice arg, bool helo)
{
    const struct mood *m = &p->remote->mood;
    char text[PEER_TEXT];

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
    buf_init(&plain, PEER_TEXT);
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

static void copy_path(struct slice arg, char ret[PEER_TEXT])
{
    struct slice rest = arg, path;

    slice_cut(&rest, '<');
    path = slice_cut(&rest, '>');
    snprintf(ret, PEER_TEXT, "%.*s", SLICE_ARG(path));
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
    peer_note_rcpt(p, rcpt);
    oracle_rcpt(w->oracle, p->remote, &p->source, p->from, rcpt, p->mail_ms, p->life != w->lives);
    if (m->refused_rcpts_of && strchr(p->from, '@') && strcmp(strchr(p->from, '@') + 1, m->refused_rcpts_of) == 0) {
        peer_note_verdict(p, rcpt, false);
        reply(p, m->reply_ms, GO_ON, "451 4.7.1 not from this sender\r\n");
        return;
    }
    if (m->greylist_ms && w->now.mono_ms - oracle_first_seen(w->oracle, rcpt) < m->greylist_ms) {
        peer_note_verdict(p, rcpt, false);
        reply(p, m->reply_ms, GO_ON, "451 4.7.1 greylisted\r\n");
        return;
    }
    if (!agrees(p, AT_RCPT, m->reply_ms))
        return;
    p->rcpt_count++;
    peer_note_taken(p);
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
    peer_end_transaction(p);
    if (agrees(p, AT_DOT, m->reply_ms + m->dot_ms)) {
        oracle_content(w->oracle, p->remote, p->rcpts[0], buf_slice(&p->content));
        for (int i = 0; i < p->rcpt_count; i++) {
            p->remote->delivered++;
            oracle_yes(w->oracle, p->rcpts[i], p->life != w->lives);
            peer_note_verdict(p, p->rcpts[i], true);
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
    peer_note_gone(p);
    LIST_REMOVE(p, link);
    buf_free(&p->in);
    buf_free(&p->held);
    buf_free(&p->content);
    free(p->verdicts);
    free(p->rcpts);
    free(p);
}

static void on_heard(void *arg, uint64_t bytes)
{
    peer_note_heard(arg, bytes);
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
