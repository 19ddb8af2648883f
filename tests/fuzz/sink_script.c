/* Fuzzes daemon/sink_script.c with conf/base/pattern.c below it: rules as somebody types them, and what they say to a subject. A reply
 * that is taken is whole lines of printable text, and a pattern costs what it may, whatever it says. */
#include <assert.h>

#include "input.h"
#include "sink_script.h"

static void check_rule(const struct sink_rule *r)
{
    assert(r->at < SINK_STAGES && r->share_permille >= 0 && r->share_permille <= 1000);
    if (r->mood == SINK_MOOD_REPLY) {
        size_t n = strlen(r->reply);

        assert(n >= 5 && strcmp(r->reply + n - 2, "\r\n") == 0);
        for (const char *p = r->reply; *p; p = strchr(p, '\n') + 1)
            assert(p[0] >= '2' && p[0] <= '5');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct sink_script s = { 0 };
    struct fl_err err;
    struct rand dice;

    rand_seed(&dice, 1);
    while (in.n) {
        struct sink_rule_text text = { .at = input_text(&in), .match = input_text(&in) };
        struct slice *act[] = { &text.act, &text.delay, &text.rate };

        *act[input_byte(&in) % 3] = input_text(&in);
        text.share = input_text(&in);
        if (sink_script_add(&s, &text, &err) == 0)
            check_rule(&s.rules[s.count - 1]);
    }
    in = slice_make(data, size);
    for (enum sink_stage at = 0; at < SINK_STAGES; at++)
        assert(!sink_script_find(&s, at, in, &dice) || sink_script_has(&s, at));
    sink_script_free(&s);
    return 0;
}
