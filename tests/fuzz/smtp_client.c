/* Fuzzes vmta/smtp_client.c with what a host says. The first two octets choose profile and message; in the rest, 0xff ends a
 * read, 0xfe lets time pass, 0xfd loses the connection. Whatever is said: every transaction is reported once and in order,
 * nobody is delivered without a dot that was written, the end comes once, and what we say consists of whole lines. */
#include <assert.h>
#include <stdlib.h>

#include "body.h"
#include "clock.h"
#include "outcome.h"
#include "smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENDS_MAX = 4, RCPTS = 3 };

struct body {
    struct slice content;
    bool raw;
};

bool body_is_raw(const struct body *b) { return b->raw; }
uint64_t body_length(const struct body *b) { return b->content.n; }

struct world {
    struct profile profile;
    struct smtp_client *client;
    int64_t now_ms;
    struct body body;
    struct envelope_rcpt rcpts[RCPTS];
    struct envelope env[SENDS_MAX];
    int sent, reported, bodies;
    bool slow_body, asked_body, closed;
};

static void begin(struct world *w)
{
    static const int index[RCPTS] = { 0, 1, 2 };

    if (w->sent == SENDS_MAX || !smtp_client_can_send(w->client))
        return;
    w->env[w->sent].rcpts = w->rcpts;
    if (smtp_client_send(w->client, w->now_ms, &w->env[w->sent], index, RCPTS) == 0)
        w->sent++;
}

static void write_body(struct world *w)
{
    w->asked_body = false;
    w->bodies++;
    smtp_client_body_sent(w->client, w->now_ms, true);
}

static void check_result(struct world *w, const struct smtp_client_action *a)
{
    assert(a->env == &w->env[w->reported]);
    w->reported++;
    assert(a->result->rcpt_count == RCPTS);
    for (int i = 0; i < RCPTS; i++) {
        struct outcome o = outcome_of_rcpt(a->result, &a->result->rcpts[i], false);

        assert(o.verdict != OUTCOME_DELIVERED || w->bodies > 0);
        assert(!a->result->rcpts[i].surplus || !a->result->rcpts[i].judged);
        assert(slice_is_utf8(slice_of(a->result->rcpts[i].reply.text)));
    }
}

static void check_lines(struct slice out)
{
    assert(out.n >= 2 && out.p[out.n - 1] == '\n');
    for (size_t i = 0; i < out.n; i++)
        assert(out.p[i] != '\n' || (i > 0 && out.p[i - 1] == '\r'));
}

static void pull(struct world *w)
{
    struct smtp_client_action a;
    enum smtp_client_action_type type;

    while ((type = smtp_client_next(w->client, &a)) != SMTP_CLIENT_WAIT) {
        assert(!w->closed);
        if (type == SMTP_CLIENT_SEND)
            check_lines(a.bytes);
        else if (type == SMTP_CLIENT_START_TLS)
            smtp_client_tls(w->client, w->now_ms, w->now_ms & 1);
        else if (type == SMTP_CLIENT_READY || type == SMTP_CLIENT_ROOM)
            begin(w);
        else if (type == SMTP_CLIENT_SCAN)
            smtp_client_scanned(w->client, w->now_ms,
                                &(struct content_scan){ .eight_bit = w->now_ms & 1, .header_eight_bit = w->now_ms & 2 });
        else if (type == SMTP_CLIENT_RESULT)
            check_result(w, &a);
        else if (type == SMTP_CLIENT_CLOSE)
            w->closed = true;
        else if (type == SMTP_CLIENT_BODY && w->slow_body)
            w->asked_body = true;
        else if (type == SMTP_CLIENT_BODY)
            write_body(w);
        if (type == SMTP_CLIENT_RESULT)
            begin(w);
    }
}

static void feed(struct world *w, struct slice in)
{
    while (in.n) {
        size_t before = in.n;

        smtp_client_input(w->client, w->now_ms, &in);
        pull(w);
        assert(in.n < before || before == 0);
    }
}

static void happen(struct world *w, uint8_t what)
{
    w->now_ms += what == 0xfe ? MINUTE_MS : 1;
    if (what == 0xfd)
        smtp_client_lost(w->client, w->now_ms, &(struct smtp_client_loss){ .text = "lost" });
    else if (w->asked_body)
        write_body(w);
    if (smtp_client_deadline_ms(w->client) <= w->now_ms)
        smtp_client_timeout(w->client, w->now_ms);
    pull(w);
}

static void set_up(struct world *w, uint8_t a, uint8_t b)
{
    w->profile = (struct profile){ .tls = (enum tls_mode)(a & 3), .ehlo = "me.test", .user = a & 4 ? "u" : NULL,
                                   .password = "p", .allow_plaintext_login = a & 8 };
    w->slow_body = a & 16;
    w->body = (struct body){ .content = SLICE("A: b\r\n\r\n"), .raw = b & 1 };
    for (int i = 0; i < RCPTS; i++)
        w->rcpts[i] = (struct envelope_rcpt){ .address = i == 1 ? SLICE("\xc3\xbc@two.test") : SLICE("b@two.test"),
                                              .notify = b >> 6, .orcpt = SLICE("rfc822;x+y@two.test") };
    for (int i = 0; i < SENDS_MAX; i++)
        w->env[i] = (struct envelope){ .reverse_path = SLICE("a@one.test"), .envid = SLICE("a b"), .body_type = (b >> 1) % 3,
                                       .smtputf8 = b & 8, .body = &w->body, .size = 9, .rcpt_count = RCPTS };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = calloc(1, sizeof *w);
    size_t from = 2;

    if (!w || size < 2) {
        free(w);
        return 0;
    }
    set_up(w, data[0], data[1]);
    w->client = smtp_client_new(&w->profile, data[0] & 32);
    if (w->client) {
        smtp_client_connected(w->client, w->now_ms, false);
        for (size_t i = 2; i <= size; i++) {
            if (i < size && data[i] < 0xfd)
                continue;
            feed(w, slice_make(data + from, i - from));
            if (i < size)
                happen(w, data[i]);
            from = i + 1;
        }
        smtp_client_lost(w->client, w->now_ms, &(struct smtp_client_loss){ .text = "lost" });
        pull(w);
        assert(w->closed && w->reported == w->sent);
    }
    smtp_client_free(w->client);
    free(w);
    return 0;
}
