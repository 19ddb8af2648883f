/* One conversation with the test MX, without sockets: what it answers, and what it wants done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "sink_session.h"

struct play {
    struct sink_script script;
    struct rand dice;
    struct sink_session *s;
    char log[4096]; /* replies, and actions in brackets */
    size_t n;
};

static void note(struct play *p, struct slice text)
{
    assert_true(p->n + text.n < sizeof p->log);
    memcpy(p->log + p->n, text.p, text.n);
    p->n += text.n;
    p->log[p->n] = '\0';
}

static void note_action(struct play *p, const struct sink_action *a)
{
    char text[256] = "[wait]";

    switch (a->type) {
    case SINK_MESSAGE:
        snprintf(text, sizeof text, "[message %.*s > %.*s %d, %.*s]", SLICE_ARG(a->message.from), SLICE_ARG(a->message.to[0]),
                 (int)a->message.to_count, SLICE_ARG(a->message.content));
        assert_int_equal(a->message.size, a->message.content.n);
        break;
    case SINK_PAUSE:
        snprintf(text, sizeof text, "[pause %d]", (int)a->ms);
        break;
    case SINK_SLOW:
        snprintf(text, sizeof text, "[slow %d]", (int)a->bytes_per_s);
        break;
    case SINK_START_TLS:
        snprintf(text, sizeof text, "[tls]");
        break;
    case SINK_CLOSE:
        snprintf(text, sizeof text, "[close]");
        break;
    case SINK_DROP:
        snprintf(text, sizeof text, "[drop]");
        break;
    case SINK_WAIT:
        break;
    }
    note(p, slice_of(text));
}

/* Feeds the input and notes all that comes of it. */
static void say(struct play *p, const char *input)
{
    struct slice in = slice_of(input);
    struct sink_action a;
    char *room;

    p->n = 0;
    p->log[0] = '\0';
    assert_int_equal(sink_session_room(p->s, in.n + 1, &room), 0);
    memcpy(room, in.p, in.n);
    sink_session_filled(p->s, in.n);
    while (sink_session_next(p->s, &a) != SINK_WAIT) {
        note(p, sink_session_output(p->s));
        sink_session_sent(p->s, sink_session_output(p->s).n);
        note_action(p, &a);
        if (a.type == SINK_CLOSE || a.type == SINK_DROP)
            return;
    }
    note(p, sink_session_output(p->s));
    sink_session_sent(p->s, sink_session_output(p->s).n);
}

static void begin(struct play *p, const struct sink_rule_text *rules, size_t count)
{
    struct fl_err err;

    *p = (struct play){ 0 };
    rand_seed(&p->dice, 1);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sink_script_add(&p->script, &rules[i], &err), 0);
    p->s = sink_session_new(&(struct sink_rules){ .script = &p->script, .hostname = "mx.test", .dice = &p->dice,
                                                  .offer_starttls = true, .keep_content = true },
                            SLICE("127.0.0.1"));
    assert_non_null(p->s);
    say(p, "");
}

static void finish(struct play *p)
{
    sink_session_free(p->s);
    sink_script_free(&p->script);
}

static void a_whole_session_in_one_write(void **state)
{
    struct play p;

    begin(&p, NULL, 0);
    assert_string_equal(p.log, "220 sink ESMTP Fairlead's test server\r\n");
    say(&p, "HELO c\r\nMAIL FROM:<a@x> SIZE=3\r\nRCPT TO:<b@y>\r\nrcpt to: <c@y>\r\nDATA\r\nhi\r\n..\r\n.\r\nQUIT\r\n");
    assert_string_equal(p.log, "250 sink\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 Go ahead\r\n250 2.0.0 Ok\r\n"
                               "[message a@x > b@y 2, hi\r\n.\r\n]221 2.0.0 Bye\r\n[close]");
    finish(&p);
}

static void the_order_of_commands_is_kept(void **state)
{
    struct play p;

    begin(&p, NULL, 0);
    say(&p, "RCPT TO:<b@y>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nRSET\r\nBDAT 3 LAST\r\nabcNOOP\r\nNONSENSE\r\n");
    assert_string_equal(p.log, "503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n250 2.1.0 Ok\r\n503 5.5.1 One transaction at a time\r\n"
                               "554 5.5.1 No valid recipients\r\n250 2.0.0 Ok\r\n503 5.5.1 MAIL first\r\n250 2.0.0 Ok\r\n"
                               "500 5.5.2 That is no command of this server\r\n");
    finish(&p);
}

static void a_delay_handles_the_same_line_again_later(void **state)
{
    struct play p;

    begin(&p, &(struct sink_rule_text){ .at = SLICE("mail"), .delay = SLICE("5s") }, 1);
    say(&p, "MAIL FROM:<a@x>\r\nRSET\r\n");
    assert_string_equal(p.log, "[pause 5000]");
    assert_false(sink_session_reads(p.s));
    sink_session_resume(p.s);
    say(&p, "");
    assert_string_equal(p.log, "250 2.1.0 Ok\r\n250 2.0.0 Ok\r\n");
    finish(&p);
}

static void a_reply_that_says_yes_goes_on(void **state)
{
    struct play p;

    begin(&p, &(struct sink_rule_text){ .at = SLICE("dot"), .act = SLICE("250 2.6.0 queued as 7") }, 1);
    say(&p, "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 2\r\nhiBDAT 0 LAST\r\n");
    assert_string_equal(p.log, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 Go on\r\n250 2.6.0 queued as 7\r\n[message a@x > b@y 1, hi]");
    finish(&p);
}

static void a_421_closes(void **state)
{
    struct play p;

    begin(&p, &(struct sink_rule_text){ .at = SLICE("rcpt"), .act = SLICE("421 4.3.2 going down") }, 1);
    say(&p, "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\n");
    assert_string_equal(p.log, "250 2.1.0 Ok\r\n421 4.3.2 going down\r\n[close]");
    finish(&p);
}

static void what_follows_starttls_in_clear_is_dropped(void **state)
{
    struct play p;

    begin(&p, NULL, 0);
    say(&p, "HELO c\r\nMAIL FROM:<a@x>\r\nSTARTTLS\r\nRCPT TO:<b@y>\r\n");
    assert_string_equal(p.log, "250 sink\r\n250 2.1.0 Ok\r\n220 2.0.0 Go ahead\r\n[tls]");
    sink_session_secured(p.s);
    say(&p, "RCPT TO:<b@y>\r\n");
    assert_string_equal(p.log, "503 5.5.1 MAIL first\r\n");
    finish(&p);
}

static void a_refused_chunk_is_read_and_forgotten(void **state)
{
    struct play p;

    begin(&p, &(struct sink_rule_text){ .at = SLICE("data"), .act = SLICE("552 5.2.2 full") }, 1);
    say(&p, "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    assert_string_equal(p.log, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n552 5.2.2 full\r\n250 2.0.0 Ok\r\n");
    finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_session_in_one_write),
        cmocka_unit_test(the_order_of_commands_is_kept),
        cmocka_unit_test(a_delay_handles_the_same_line_again_later),
        cmocka_unit_test(a_reply_that_says_yes_goes_on),
        cmocka_unit_test(a_421_closes),
        cmocka_unit_test(what_follows_starttls_in_clear_is_dropped),
        cmocka_unit_test(a_refused_chunk_is_read_and_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
