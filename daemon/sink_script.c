/* sink_script.c: the moods of a test MX. */
#include "sink_script.h"

#include <stdlib.h>

#include "buf.h"
#include "units.h"

static const char *const stage_names[SINK_STAGES] = {
    [SINK_AT_CONNECT] = "connect",   [SINK_AT_EHLO] = "ehlo", [SINK_AT_STARTTLS] = "starttls", [SINK_AT_MAIL] = "mail",
    [SINK_AT_RCPT] = "rcpt", [SINK_AT_DATA] = "data", [SINK_AT_DOT] = "dot",
};

const char *sink_stage_name(enum sink_stage at)
{
    return stage_names[at];
}

static int parse_stage(struct slice text, enum sink_stage *ret, struct fl_err *err)
{
    for (int i = 0; i < SINK_STAGES; i++) {
        if (slice_eq(text, slice_of(stage_names[i]))) {
            *ret = (enum sink_stage)i;
            return 0;
        }
    }
    return fl_fail(err, FL_EINVAL, "at: '%.*s' is none of connect, ehlo, starttls, mail, rcpt, data, dot", SLICE_ARG(text));
}

/* "451", and behind it a blank, a hyphen or nothing; a NUL would end the reply before its CRLF. */
static bool is_reply_line(struct slice line)
{
    if (line.n < 3 || memchr(line.p, '\0', line.n) || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) || !ascii_is_digit(line.p[2]))
        return false;
    return line.n == 3 || line.p[3] == ' ' || line.p[3] == '-';
}

static int parse_reply(struct slice text, char **ret, struct fl_err *err)
{
    struct buf out;
    struct slice rest = slice_trim_crlf(text);
    int rc = 0;

    buf_init(&out, 0);
    do {
        struct slice line = slice_trim_crlf(slice_cut(&rest, '\n'));

        if (!is_reply_line(line)) {
            rc = fl_fail(err, FL_EINVAL, "do: '%.*s' is neither drop nor a reply such as \"451 4.7.1 text\"", SLICE_ARG(line));
            break;
        }
        rc = buf_add(&out, line);
        if (rc == 0)
            rc = buf_add(&out, SLICE("\r\n"));
        if (rc < 0)
            fl_fail(err, rc, "out of memory");
    } while (rest.n && rc == 0);
    if (rc == 0) {
        *ret = slice_dup(buf_slice(&out));
        if (!*ret)
            rc = fl_fail(err, FL_ENOMEM, "out of memory");
    }
    buf_free(&out);
    return rc;
}

/* "10B/s": a size and a unit of time. */
static int parse_rate(struct slice text, int64_t *ret, struct fl_err *err)
{
    struct slice per = text, size = slice_cut(&per, '/');

    if (!units_size(size, ret) || *ret < 1 || !slice_eq(per, SLICE("s")))
        return fl_fail(err, FL_EINVAL, "rate: '%.*s' is no rate such as 10B/s or 4KiB/s", SLICE_ARG(text));
    return 0;
}

static int parse_mood(const struct sink_rule_text *text, struct sink_rule *rule, struct fl_err *err)
{
    if ((text->act.n > 0) + (text->delay.n > 0) + (text->rate.n > 0) != 1)
        return fl_fail(err, FL_EINVAL, "do: needs exactly one of a reply, drop, {delay: 5s}, {rate: 10B/s}");
    if (text->delay.n) {
        rule->mood = SINK_MOOD_DELAY;
        if (!units_span(text->delay, &rule->delay_ms))
            return fl_fail(err, FL_EINVAL, "delay: '%.*s' is no span of time such as 5s", SLICE_ARG(text->delay));
        return 0;
    }
    if (text->rate.n) {
        rule->mood = SINK_MOOD_RATE;
        return parse_rate(text->rate, &rule->bytes_per_s, err);
    }
    if (slice_eq(text->act, SLICE("drop"))) {
        rule->mood = SINK_MOOD_DROP;
        return 0;
    }
    rule->mood = SINK_MOOD_REPLY;
    return parse_reply(text->act, &rule->reply, err);
}

static void rule_free(struct sink_rule *rule)
{
    pattern_free(rule->match);
    free(rule->reply);
}

int sink_script_add(struct sink_script *s, const struct sink_rule_text *text, struct fl_err *err)
{
    struct sink_rule rule = { .share_permille = 1000 };
    struct sink_rule *grown;
    int rc;

    if (s->count >= SINK_RULES_MAX)
        return fl_fail(err, FL_ELIMIT, "more than %d rules", SINK_RULES_MAX);
    rc = parse_stage(text->at, &rule.at, err);
    if (rc == 0 && text->share.n && !units_percent(text->share, &rule.share_permille))
        rc = fl_fail(err, FL_EINVAL, "share: '%.*s' is no share such as 10%%", SLICE_ARG(text->share));
    if (rc == 0 && text->match.n)
        rc = pattern_compile(text->match, &rule.match, err);
    if (rc == 0)
        rc = parse_mood(text, &rule, err);
    if (rc < 0)
        goto fail;
    grown = realloc(s->rules, (s->count + 1) * sizeof *grown);
    if (!grown) {
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
        goto fail;
    }
    s->rules = grown;
    s->rules[s->count++] = rule;
    return 0;
fail:
    rule_free(&rule);
    return rc;
}

bool sink_script_has(const struct sink_script *s, enum sink_stage at)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->rules[i].at == at)
            return true;
    return false;
}

const struct sink_rule *sink_script_find(const struct sink_script *s, enum sink_stage at, struct slice subject, struct rand *dice)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sink_rule *rule = &s->rules[i];

        if (rule->at != at || (rule->match && pattern_match(rule->match, subject) != PATTERN_YES))
            continue;
        if (rule->share_permille == 1000 || rand_below(dice, 1000) < (uint64_t)rule->share_permille)
            return rule;
    }
    return NULL;
}

void sink_script_free(struct sink_script *s)
{
    for (size_t i = 0; i < s->count; i++)
        rule_free(&s->rules[i]);
    free(s->rules);
    *s = (struct sink_script){ 0 };
}
