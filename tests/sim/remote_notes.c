/* remote_notes.c: see remote_peer.h. */
#include "remote_peer.h"

#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- transactions, as the list of traffic has them */
static struct traffic *traffic_of(const struct peer *p)
{
    return p->remote->world->traffic;
}

/* The DSN's recipient tells whose it is; that of other mail its sender. */
void peer_note_rcpt(struct peer *p, const char *rcpt)
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

void peer_note_taken(struct peer *p)
{
    if (p->in_transaction)
        traffic_at(traffic_of(p), p->sent)->taken++;
}

void peer_end_transaction(struct peer *p)
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
void peer_note_verdict(struct peer *p, const char *rcpt, bool yes)
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

void peer_note_said(struct peer *p)
{
    for (int i = 0; i < p->verdict_count; i++)
        if (p->verdicts[i].offset == UINT64_MAX)
            p->verdicts[i].offset = wire_said(p->wire);
    note_last_words(p);
}

void peer_note_heard(struct peer *p, uint64_t bytes)
{
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

void peer_note_gone(struct peer *p)
{
    struct world *w = p->remote->world;

    note_ends(p, UINT64_MAX, wire_left_ms(p->wire) ? wire_left_ms(p->wire) : w->now.mono_ms);
    for (int i = 0; i < p->verdict_count; i++)
        if (p->verdicts[i].yes && !p->verdicts[i].heard && p->life == w->lives)
            oracle_yes_lost(w->oracle, p->verdicts[i].rcpt);
}
