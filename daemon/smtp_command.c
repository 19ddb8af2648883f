/* smtp_command.c: the commands of RFC 5321 but for content and AUTH: what each allows, checks and answers. See smtp_state.h. */
#include "smtp_command.h"

#include <stdio.h>

#include "address.h"
#include "domain.h"
#include "esmtp.h"
#include "smtp_state.h"

enum { TRANSACTION_ARENA = 1024, RCPTS_FIRST = 4 };

/* ---------------------------------------------------------------- EHLO, HELO */
/* A host name, with the underscores that many have, or an address literal (RFC 5321 4.1.1.1, 4.1.3). */
static bool helo_is_valid(struct slice name)
{
    char plain[DOMAIN_MAX], canonical[DOMAIN_MAX];
    struct inet_addr addr;

    if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']') {
        struct slice inner = slice_head(slice_skip(name, 1), name.n - 2);
        bool v6 = slice_starts_nocase(inner, SLICE("IPv6:"));

        return inet_addr_parse(v6 ? slice_skip(inner, 5) : inner, &addr) && (v6 || addr.family == 4);
    }
    if (name.n >= sizeof plain)
        return false;
    for (size_t i = 0; i < name.n; i++)
        plain[i] = name.p[i] == '_' ? 'x' : name.p[i];
    return domain_canonical(slice_make(plain, name.n), canonical);
}

static bool greet(struct smtp_server *s, struct slice name, bool esmtp)
{
    if (!helo_is_valid(name)) {
        smtp_error(s, SAY_BAD_HELO);
        return false;
    }
    smtp_reset(s); /* RFC 5321 4.1.4 */
    memcpy(s->helo, name.p, name.n);
    s->helo[name.n] = '\0';
    s->is_esmtp = esmtp;
    return true;
}

static void helo_run(struct smtp_server *s, struct slice args)
{
    if (greet(s, args, false))
        smtp_write(s, 250, "", s->options.hostname);
}

static void offer_auth(struct smtp_server *s)
{
    unsigned offered = smtp_auth_offered(s);

    if (!offered)
        return;
    smtp_out(s, SLICE("250-AUTH"));
    for (enum sasl_mechanism m = SASL_MECHANISMS; m-- > SASL_PLAIN;)
        if (offered & 1u << m) {
            smtp_out(s, SLICE(" "));
            smtp_out(s, slice_of(sasl_name(m)));
        }
    smtp_out(s, SLICE("\r\n"));
}

static void ehlo_run(struct smtp_server *s, struct slice args)
{
    char size[32];

    if (!greet(s, args, true))
        return;
    smtp_out(s, SLICE("250-"));
    smtp_out(s, s->options.hostname);
    snprintf(size, sizeof size, "250-SIZE %lld\r\n", s->options.max_size == INT64_MAX ? 0LL : (long long)s->options.max_size);
    smtp_out(s, SLICE("\r\n250-PIPELINING\r\n"));
    smtp_out(s, slice_of(size));
    smtp_out(s, SLICE("250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n"));
    if (s->options.offer_tls && !s->is_tls)
        smtp_out(s, SLICE("250-STARTTLS\r\n"));
    offer_auth(s);
    smtp_out(s, SLICE("250 ENHANCEDSTATUSCODES\r\n"));
}

/* ---------------------------------------------------------------- MAIL */
static unsigned offered_parameters(const struct smtp_server *s)
{
    if (!s->is_esmtp)
        return 0;
    return ESMTP_SIZE | ESMTP_8BITMIME | ESMTP_BINARYMIME | ESMTP_SMTPUTF8 | ESMTP_DSN |
           (smtp_auth_offered(s) ? ESMTP_AUTH : 0);
}

/* A path or parameter that cannot be. One who may send is forgiven bad recipients, however many: a list has some. */
static void refuse_path(struct smtp_server *s, const struct refusal *r)
{
    if (s->in_mail && !s->options.distrust)
        smtp_write(s, r->code, r->enhanced, slice_of(r->text));
    else
        smtp_error_text(s, r->code, r->enhanced, r->text);
}

/* The path behind "FROM:" or "TO:". Blanks before it are forgiven: many programs send them. */
static bool parse_path(struct smtp_server *s, struct slice args, struct slice key, enum smtp_say syntax, struct address *ret,
                       struct slice *ret_rest)
{
    bool is_mail = syntax == SAY_MAIL_SYNTAX;
    enum address_error e;

    if (!slice_starts_nocase(args, key)) {
        smtp_error(s, syntax);
        return false;
    }
    args = slice_skip(args, key.n);
    while (args.n && args.p[0] == ' ')
        args = slice_skip(args, 1);
    e = address_parse_path(args, s->is_esmtp, is_mail, ret, ret_rest);
    if (e == ADDRESS_OK)
        return true;
    refuse_path(s, address_refusal(e, !is_mail));
    return false;
}

static void no_memory(struct smtp_server *s)
{
    smtp_bye(s, SAY_NO_MEMORY);
}

static enum body_type body_type_of(enum esmtp_body b)
{
    return b == ESMTP_BODY_BINARYMIME ? BODY_BINARY : b == ESMTP_BODY_8BITMIME ? BODY_8BIT : BODY_7BIT;
}

/* Begins a transaction out of what was parsed; false without memory. */
static bool open_transaction(struct smtp_server *s, const struct address *a, const struct esmtp_mail *m)
{
    struct smtp_transaction *t = &s->transaction;

    smtp_reset(s);
    s->arena = arena_new(TRANSACTION_ARENA);
    if (!s->arena)
        return false;
    *t = (struct smtp_transaction){
        .reverse_path = arena_copy(s->arena, a->text),
        .reverse_path_domain = arena_copy(s->arena, slice_of(a->kind == ADDRESS_NULL ? "" : a->canonical)),
        .declared_size = m->size > INT64_MAX ? INT64_MAX : (int64_t)m->size,
        .envid = arena_copy(s->arena, slice_of(m->envid)),
        .ret = m->ret == ESMTP_RET_FULL ? RET_FULL : m->ret == ESMTP_RET_HDRS ? RET_HDRS : RET_DEFAULT,
        .smtputf8 = m->smtputf8,
        .body_type = body_type_of(m->body),
    };
    return t->reverse_path.p && t->reverse_path_domain.p && t->envid.p;
}

/* Whether this client may send at all; says why not. */
static bool may_send(struct smtp_server *s)
{
    enum smtp_say say;

    if (s->options.access == SMTP_ACCESS_OPEN || (s->options.access == SMTP_ACCESS_LOGIN && s->logged_in))
        return true;
    if (s->options.access == SMTP_ACCESS_NONE)
        say = SAY_RELAY_DENIED;
    else
        say = s->options.require_tls_before_auth && !s->is_tls ? SAY_TLS_REQUIRED : SAY_AUTH_REQUIRED;
    smtp_refused(s, &smtp_replies[say], say == SAY_RELAY_DENIED ? "relay" : "auth_required", NULL);
    smtp_error(s, say);
    return false;
}

static void mail_run(struct smtp_server *s, struct slice args)
{
    struct address a;
    struct slice rest;
    struct esmtp_mail m;
    const struct refusal *r;

    if (s->in_mail) {
        smtp_error(s, SAY_NESTED_MAIL);
        return;
    }
    if (!may_send(s) || !parse_path(s, args, SLICE("FROM:"), SAY_MAIL_SYNTAX, &a, &rest))
        return;
    if (!esmtp_parse_mail(rest, offered_parameters(s), &m, &r)) {
        refuse_path(s, r);
        return;
    }
    if (!m.smtputf8 && !slice_is_ascii(a.text)) {
        refuse_path(s, address_refusal(ADDRESS_NEEDS_SMTPUTF8, s->in_mail));
        return;
    }
    if (!open_transaction(s, &a, &m)) {
        no_memory(s);
        return;
    }
    if (m.has_size && m.size > (uint64_t)s->options.max_size) { /* RFC 1870 6.1 */
        smtp_refused(s, &smtp_replies[SAY_TOO_BIG], "size", NULL);
        smtp_say(s, SAY_TOO_BIG);
        return;
    }
    smtp_ask(s, (struct smtp_action){ .type = SMTP_ASK_MAIL, .transaction = &s->transaction });
}

/* ---------------------------------------------------------------- RCPT */
/* "postmaster" alone is ours (RFC 5321 4.1.1.3). */
static struct slice rcpt_address(struct smtp_server *s, const struct address *a)
{
    char *whole;

    if (a->kind != ADDRESS_POSTMASTER)
        return arena_copy(s->arena, a->text);
    whole = arena_printf(s->arena, "%.*s@%.*s", SLICE_ARG(a->local), SLICE_ARG(s->options.hostname));
    return slice_of(whole);
}

static struct slice rcpt_domain(struct smtp_server *s, const struct address *a)
{
    char canonical[DOMAIN_MAX];

    if (a->kind != ADDRESS_POSTMASTER)
        return arena_copy(s->arena, slice_of(a->canonical));
    return domain_canonical(s->options.hostname, canonical) ? arena_copy(s->arena, slice_of(canonical)) : SLICE_NONE;
}

static unsigned notify_of(unsigned n)
{
    return (n & ESMTP_NOTIFY_NEVER ? NOTIFY_NEVER : 0) | (n & ESMTP_NOTIFY_SUCCESS ? NOTIFY_SUCCESS : 0) |
           (n & ESMTP_NOTIFY_FAILURE ? NOTIFY_FAILURE : 0) | (n & ESMTP_NOTIFY_DELAY ? NOTIFY_DELAY : 0);
}

/* Room for one more recipient in the transaction's list. */
static bool make_room(struct smtp_server *s)
{
    struct smtp_transaction *t = &s->transaction;
    int room = s->rcpt_room ? s->rcpt_room * 2 : RCPTS_FIRST;
    struct ingest_rcpt *more;

    if (t->rcpt_count < s->rcpt_room)
        return true;
    more = arena_alloc(s->arena, (size_t)room * sizeof *more);
    if (!more)
        return false;
    if (t->rcpt_count)
        memcpy(more, t->rcpts, (size_t)t->rcpt_count * sizeof *more);
    t->rcpts = more;
    s->rcpt_room = room;
    return true;
}

static void ask_rcpt(struct smtp_server *s, const struct address *a, const struct esmtp_rcpt *p)
{
    s->candidate = (struct ingest_rcpt){
        .address = rcpt_address(s, a),
        .domain = rcpt_domain(s, a),
        .orcpt = arena_copy(s->arena, slice_of(p->orcpt)),
        .notify = notify_of(p->notify),
    };
    if (!s->candidate.address.p || !s->candidate.domain.p || !s->candidate.orcpt.p || !make_room(s)) {
        no_memory(s);
        return;
    }
    smtp_ask(s, (struct smtp_action){ .type = SMTP_ASK_RCPT, .transaction = &s->transaction, .rcpt = &s->candidate });
}

static void rcpt_run(struct smtp_server *s, struct slice args)
{
    struct address a;
    struct slice rest;
    struct esmtp_rcpt p;
    const struct refusal *r;

    if (!s->in_mail || s->content.chunked) {
        smtp_error(s, s->in_mail ? SAY_AFTER_BDAT : SAY_MAIL_FIRST);
        return;
    }
    if (s->transaction.rcpt_count >= s->options.max_rcpts) { /* RFC 5321 4.5.3.1.10; before the syntax: nothing more is read */
        smtp_say(s, SAY_TOO_MANY_RCPTS);
        return;
    }
    if (!parse_path(s, args, SLICE("TO:"), SAY_RCPT_SYNTAX, &a, &rest))
        return;
    if (!esmtp_parse_rcpt(rest, offered_parameters(s), s->transaction.smtputf8, &p, &r)) {
        refuse_path(s, r);
        return;
    }
    if (!s->transaction.smtputf8 && !slice_is_ascii(a.text)) {
        refuse_path(s, address_refusal(ADDRESS_NEEDS_SMTPUTF8, s->in_mail));
        return;
    }
    ask_rcpt(s, &a, &p);
}

void smtp_command_answer(struct smtp_server *s, const struct ingest_reply *reply)
{
    bool is_mail = s->asked == SMTP_ASK_MAIL;

    if (reply->code != 250) {
        if (is_mail)
            smtp_reset(s);
        if (s->options.distrust && reply->code >= 500) {
            smtp_error_text(s, reply->code, reply->enhanced, reply->text);
            return;
        }
        smtp_write(s, reply->code, reply->enhanced, slice_of(reply->text));
        return;
    }
    if (is_mail)
        s->in_mail = true;
    else
        s->transaction.rcpts[s->transaction.rcpt_count++] = s->candidate;
    smtp_say(s, is_mail ? SAY_MAIL_OK : SAY_RCPT_OK);
}

/* ---------------------------------------------------------------- content */
/* Why there can be no content now, or SAYS. */
static enum smtp_say content_hindrance(const struct smtp_server *s)
{
    return !s->in_mail ? SAY_MAIL_FIRST : !s->transaction.rcpt_count ? SAY_NO_RCPT : SAYS;
}

static void data_run(struct smtp_server *s, struct slice args)
{
    enum smtp_say say = content_hindrance(s);

    if (s->content.chunked)
        say = SAY_AFTER_BDAT;
    else if (say == SAYS && s->transaction.body_type == BODY_BINARY)
        say = SAY_BINARY_NEEDS_BDAT; /* RFC 3030 3 */
    if (say != SAYS)
        smtp_error(s, say);
    else
        smtp_data_begin(s);
}

static void bdat_run(struct smtp_server *s, struct slice args)
{
    struct slice rest = args, size = slice_cut(&rest, ' ');
    uint64_t n;

    rest = slice_trim(rest);
    if (!slice_to_u64(size, UINT64_MAX, &n) || (rest.n && !slice_eq_nocase(rest, SLICE("LAST")))) {
        smtp_error(s, SAY_BDAT_SYNTAX);
        return;
    }
    smtp_chunk_begin(s, n, rest.n > 0, content_hindrance(s));
}

/* ---------------------------------------------------------------- the small ones */
static void starttls_run(struct smtp_server *s, struct slice args)
{
    if (s->is_tls || !s->options.offer_tls) {
        smtp_error(s, s->is_tls ? SAY_TLS_ACTIVE : SAY_TLS_UNAVAILABLE);
        return;
    }
    smtp_reset(s); /* RFC 3207 4.2: all that was said before is forgotten, and what came behind the command is no input */
    s->helo[0] = '\0';
    s->is_esmtp = s->logged_in = s->has_said_auth = false;
    s->in = SLICE_NONE;
    smtp_say(s, SAY_START_TLS);
    smtp_act(s, (struct smtp_action){ .type = SMTP_START_TLS });
    smtp_move(s, SMTP_STATE_HANDSHAKE);
}

static void rset_run(struct smtp_server *s, struct slice args)
{
    smtp_reset(s);
    smtp_say(s, SAY_OK);
}

static void noop_run(struct smtp_server *s, struct slice args) { smtp_say(s, SAY_OK); }
static void vrfy_run(struct smtp_server *s, struct slice args) { smtp_say(s, SAY_VRFY); }
static void help_run(struct smtp_server *s, struct slice args) { smtp_say(s, SAY_HELP); }
static void quit_run(struct smtp_server *s, struct slice args) { smtp_bye(s, SAY_BYE); }
static void http_run(struct smtp_server *s, struct slice args) { smtp_bye(s, SAY_NOT_HTTP); }
static void not_implemented(struct smtp_server *s, struct slice args) { smtp_error(s, SAY_NOT_IMPLEMENTED); }

#define VERB(verb, handler, rules_, max) { .name = { verb, sizeof verb - 1 }, .run = handler, .rules = rules_, .line_max = max }
const struct smtp_verb smtp_verbs[] = {
    VERB("MAIL", mail_run, VERB_NEEDS_HELO, SMTP_MAIL_LINE_MAX),
    VERB("RCPT", rcpt_run, VERB_NEEDS_HELO, SMTP_RCPT_LINE_MAX),
    VERB("DATA", data_run, VERB_NEEDS_HELO | VERB_NO_ARGUMENT, SMTP_LINE_MAX),
    VERB("BDAT", bdat_run, 0, SMTP_LINE_MAX), /* before EHLO too its chunk must be swallowed */
    VERB("RSET", rset_run, VERB_NO_ARGUMENT, SMTP_LINE_MAX),
    VERB("QUIT", quit_run, VERB_NO_ARGUMENT, SMTP_LINE_MAX),
    VERB("EHLO", ehlo_run, VERB_NEEDS_ARGUMENT, SMTP_LINE_MAX),
    VERB("HELO", helo_run, VERB_NEEDS_ARGUMENT, SMTP_LINE_MAX),
    VERB("NOOP", noop_run, 0, SMTP_LINE_MAX),
    VERB("STARTTLS", starttls_run, VERB_NEEDS_EHLO | VERB_NO_ARGUMENT, SMTP_LINE_MAX),
    VERB("AUTH", smtp_auth_begin, VERB_NEEDS_SEED | VERB_NEEDS_EHLO | VERB_NEEDS_ARGUMENT, SMTP_AUTH_LINE_MAX),
    VERB("VRFY", vrfy_run, VERB_NEEDS_ARGUMENT, SMTP_LINE_MAX),
    VERB("HELP", help_run, 0, SMTP_LINE_MAX),
    /* known, and not for us: who may expand a list, turn a session round, or say that he is somebody else? */
    VERB("EXPN", not_implemented, 0, SMTP_LINE_MAX),
    VERB("ETRN", not_implemented, 0, SMTP_LINE_MAX),
    VERB("ATRN", not_implemented, 0, SMTP_LINE_MAX),
    VERB("TURN", not_implemented, 0, SMTP_LINE_MAX),
    VERB("SEND", not_implemented, 0, SMTP_LINE_MAX),
    VERB("SOML", not_implemented, 0, SMTP_LINE_MAX),
    VERB("SAML", not_implemented, 0, SMTP_LINE_MAX),
    VERB("BURL", not_implemented, 0, SMTP_LINE_MAX),
    VERB("XCLIENT", not_implemented, 0, SMTP_LINE_MAX),
    VERB("XFORWARD", not_implemented, 0, SMTP_LINE_MAX),
    /* a browser that was sent here to speak for somebody else */
    VERB("GET", http_run, 0, SMTP_LINE_MAX),
    VERB("POST", http_run, 0, SMTP_LINE_MAX),
    VERB("PUT", http_run, 0, SMTP_LINE_MAX),
    VERB("HEAD", http_run, 0, SMTP_LINE_MAX),
    VERB("DELETE", http_run, 0, SMTP_LINE_MAX),
    VERB("PATCH", http_run, 0, SMTP_LINE_MAX),
    VERB("OPTIONS", http_run, 0, SMTP_LINE_MAX),
    VERB("CONNECT", http_run, 0, SMTP_LINE_MAX),
    VERB("TRACE", http_run, 0, SMTP_LINE_MAX),
    VERB("PRI", http_run, 0, SMTP_LINE_MAX),
};
#undef VERB
const int smtp_verb_count = sizeof smtp_verbs / sizeof *smtp_verbs;

const struct smtp_verb *smtp_verb_find(struct slice line, struct slice *ret_args)
{
    struct slice rest = line, word = slice_cut(&rest, ' ');

    *ret_args = slice_trim(rest);
    for (int i = 0; i < smtp_verb_count; i++)
        if (slice_eq_nocase(smtp_verbs[i].name, word))
            return &smtp_verbs[i];
    return NULL;
}

/* ---------------------------------------------------------------- a line */
static size_t line_limit(struct slice line)
{
    struct slice args;
    const struct smtp_verb *v = smtp_verb_find(slice_trim_crlf(line), &args);

    return v ? v->line_max : SMTP_LINE_MAX;
}

static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < ' ' || line.p[i] == 127)
            return true;
    return false;
}

/* Why this verb cannot run now, or SAYS. */
static enum smtp_say verb_hindrance(const struct smtp_server *s, const struct smtp_verb *v, struct slice args)
{
    if ((v->rules & VERB_NO_ARGUMENT) && args.n)
        return SAY_NO_ARGUMENT;
    if ((v->rules & VERB_NEEDS_ARGUMENT) && !args.n)
        return SAY_NEED_ARGUMENT;
    if ((v->rules & (VERB_NEEDS_HELO | VERB_NEEDS_EHLO)) && !s->helo[0])
        return SAY_HELO_FIRST;
    if ((v->rules & VERB_NEEDS_EHLO) && !s->is_esmtp)
        return SAY_NO_EXTENSION;
    return SAYS;
}

bool smtp_command_run(struct smtp_server *s)
{
    struct slice before = s->in, line, args;
    const struct smtp_verb *v;
    enum smtp_say say;

    if (!smtp_take_line(s, line_limit, &line, &say))
        return false;
    s->since_ms = s->now_ms;
    v = smtp_verb_find(line, &args);
    if (say == SAYS)
        say = !line.n ? SAY_EMPTY : !v ? SAY_UNKNOWN : has_control(line) ? SAY_CONTROL : verb_hindrance(s, v, args);
    if (say == SAYS && (v->rules & VERB_NEEDS_SEED) && !s->seeded) {
        s->in = before; /* the same line again, once it is there */
        smtp_act(s, (struct smtp_action){ .type = SMTP_ASK_SEED });
    } else if (say == SAYS)
        v->run(s, args);
    else
        smtp_error(s, say);
    return true;
}
