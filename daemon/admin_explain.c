/* admin_explain.c: the questions that ingest asks of the configuration, in the same order, and their answers in words. Pure. */
#include "admin_explain.h"

#include "address.h"
#include "admin_body.h"
#include "admin_json.h"
#include "header.h"
#include "policy.h"
#include "printable.h"
#include "route.h"

enum { HEADER_VALUE_MAX = 8192 };

struct explanation {
    const struct conf *conf;
    const struct explain_question *q;
    const struct conf_tenant *tenant;
    const struct conf_user *user;
    struct address from, to;
    struct buf header; /* wire form */
    struct arena *arena;
    struct route_answer route;
    char refused[256]; /* "" or "550 5.7.1 …" */
};

/* ---------------------------------------------------------------- the question */
static int parse_header(const json_t *pair, struct explain_question *q, struct fl_err *err)
{
    const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1);

    if (json_array_size(pair) != 2 || !json_is_string(name) || !json_is_string(value))
        return fl_fail(err, FL_EINVAL, "headers: not a list of [name, value]");
    if (q->header_count == EXPLAIN_HEADERS_MAX)
        return fl_fail(err, FL_EINVAL, "headers: more than %d", EXPLAIN_HEADERS_MAX);
    q->headers[q->header_count].name = slice_make(json_string_value(name), json_string_length(name));
    q->headers[q->header_count].value = slice_make(json_string_value(value), json_string_length(value));
    q->header_count++;
    return 0;
}

/* A text where null means that it is not said, and "" is one. */
static int optional_text(const json_t *doc, const char *key, struct slice *ret, struct fl_err *err)
{
    const json_t *v = json_object_get(doc, key);

    return !v || json_is_null(v) || (json_is_string(v) && !json_string_length(v)) ? 0 : admin_body_text(doc, key, ret, err);
}

int explain_question_parse(const json_t *doc, struct explain_question *ret, struct fl_err *err)
{
    static const char *const keys[] = { "tenant", "user", "from", "to", "headers", NULL };
    const json_t *headers = json_object_get(doc, "headers");
    int rc;

    *ret = (struct explain_question){ 0 };
    if ((rc = admin_body_keys(doc, keys, err)) < 0 || (rc = admin_body_text(doc, "tenant", &ret->tenant, err)) < 0 ||
        (rc = optional_text(doc, "user", &ret->user, err)) < 0 || (rc = optional_text(doc, "from", &ret->from, err)) < 0 ||
        (rc = admin_body_text(doc, "to", &ret->to, err)) < 0)
        return rc;
    if (!ret->tenant.n || !ret->to.n || !json_is_string(json_object_get(doc, "from")))
        return fl_fail(err, FL_EINVAL, "tenant, from and to are needed");
    if (headers && !json_is_null(headers) && !json_is_array(headers))
        return fl_fail(err, FL_EINVAL, "headers: not a list of [name, value]");
    for (size_t i = 0; i < json_array_size(headers); i++)
        if ((rc = parse_header(json_array_get(headers, i), ret, err)) < 0)
            return rc;
    return 0;
}

static bool is_field_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] == ':' || (unsigned char)s.p[i] >= 127)
            return false;
    return s.n > 0;
}

/* The headers in wire form, as ingest would see them. */
static int build_header(struct explanation *x, struct fl_err *err)
{
    for (int i = 0; i < x->q->header_count; i++) {
        struct slice name = x->q->headers[i].name, value = x->q->headers[i].value;

        if (!is_field_name(name) || value.n > HEADER_VALUE_MAX || printable_run(value) != value.n)
            return fl_fail(err, FL_EINVAL, "headers: '%.*s: …' is no header field", SLICE_ARG(slice_head(name, 64)));
        if (buf_printf(&x->header, "%.*s: %.*s\r\n", SLICE_ARG(name), SLICE_ARG(value)) < 0)
            return fl_fail(err, FL_ENOMEM, "out of memory");
    }
    return 0;
}

/* ---------------------------------------------------------------- what is refused */
static bool refuse(struct explanation *x, int code, const char *enhanced, const char *text)
{
    snprintf(x->refused, sizeof x->refused, "%d %s %s", code, enhanced, text);
    return false;
}

static bool refuse_by(struct explanation *x, const struct refusal *r)
{
    return refuse(x, r->code, r->enhanced, r->text);
}

static bool read_addresses(struct explanation *x)
{
    struct slice from = x->q->from;
    enum address_error e;

    if (from.n >= 2 && from.p[0] == '<' && from.p[from.n - 1] == '>')
        from = slice_head(slice_skip(from, 1), from.n - 2);
    x->from.kind = ADDRESS_NULL;
    if (from.n && (e = address_parse(from, true, &x->from)) != ADDRESS_OK)
        return refuse_by(x, address_refusal(e, false));
    if ((e = address_parse(x->q->to, true, &x->to)) != ADDRESS_OK)
        return refuse_by(x, address_refusal(e, true));
    if (x->to.kind == ADDRESS_LITERAL)
        return refuse_by(x, &address_literal_refusal);
    return true;
}

static bool may_send(const struct explanation *x, const struct address *a)
{
    return a->kind == ADDRESS_NULL || tenant_may_send_as(x->tenant, slice_of(a->canonical));
}

static bool check_senders(struct explanation *x)
{
    struct address *from;
    size_t n = 0;

    if (!may_send(x, &x->from))
        return refuse(x, 550, "5.7.1", "This sender address is not one of yours");
    switch (header_from(buf_slice(&x->header), x->arena, &from, &n)) {
    case HEADER_FROM_OK:
        for (size_t i = 0; i < n; i++)
            if (from[i].kind != ADDRESS_MAILBOX || !may_send(x, &from[i]))
                return refuse(x, 550, "5.7.1", "The From: address is not one of yours");
        return true;
    case HEADER_FROM_NONE:
        return true;
    default:
        return refuse(x, 550, "5.6.0", "From: is not one field with addresses");
    }
}

static bool find_route(struct explanation *x)
{
    struct route_question question = {
        .tenant = x->tenant,
        .user = x->user,
        .reverse_path = x->from.text,
        .reverse_path_domain = x->from.kind == ADDRESS_NULL ? SLICE_NONE : slice_of(x->from.canonical),
        .header_block = buf_slice(&x->header),
    };
    struct route_refusal no;
    struct rand rand;

    rand_seed(&rand, x->q->seed);
    if (route_message(x->conf, &question, &rand, &x->route, &no))
        return true;
    return refuse(x, 550, no.enhanced, no.text);
}

/* ---------------------------------------------------------------- the answer */
static json_t *place(const struct conf_place *at, bool from_header)
{
    if (from_header)
        return json_string("header");
    return at->line > 0 && at->file ? json_sprintf("%s:%d", at->file, at->line) : json_string("built-in");
}

static json_t *route_object(const struct route_answer *r)
{
    struct admin_object o = admin_object();

    admin_put(&o, "vmta", admin_text(slice_of(r->vmta->name)));
    admin_put(&o, "pool", r->pool ? admin_text(slice_of(r->pool->name)) : json_null());
    admin_put(&o, "because", admin_text(slice_of(r->because)));
    admin_put(&o, "at", place(&r->at, r->from_header));
    return admin_object_end(&o);
}

static json_t *setting_row(enum setting key, const struct setting_value *v)
{
    struct admin_object o = admin_object();
    struct buf text;

    buf_init(&text, 0);
    if (setting_text(key, v, &text) < 0)
        o.has_failed = true;
    admin_put(&o, "key", admin_text(slice_of(setting_name(key))));
    admin_put(&o, "value", admin_text(buf_slice(&text)));
    admin_put(&o, "at", place(&v->at, false));
    buf_free(&text);
    return admin_object_end(&o);
}

static json_t *settings_list(const struct explanation *x)
{
    json_t *list = json_array();
    struct policy p;
    bool failed = !list;

    policy_resolve(x->conf, x->tenant, x->route.vmta, slice_of(x->to.canonical), &p);
    for (enum setting key = 0; key < SETTINGS; key++) {
        const struct setting_value *cap = key == SET_MAX_CONNECTIONS    ? p.tenant_max_connections
                                          : key == SET_MAX_MESSAGE_RATE ? p.tenant_max_message_rate
                                                                        : NULL;

        failed |= json_array_append_new(list, setting_row(key, p.value[key])) < 0;
        if (cap) /* the tenant's part of the path is capped as well: both hold */
            failed |= json_array_append_new(list, setting_row(key, cap)) < 0;
    }
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *answer(struct explanation *x)
{
    struct admin_object o = admin_object();

    admin_put(&o, "tenant", admin_text(x->q->tenant));
    admin_put(&o, "user", admin_text_or_null(x->q->user));
    if (!read_addresses(x) || !check_senders(x) || !find_route(x)) {
        admin_put(&o, "refused", admin_text(slice_of(x->refused)));
        return admin_object_end(&o);
    }
    admin_put(&o, "route", route_object(&x->route));
    admin_put(&o, "queue", json_sprintf("%s/%s/%s", x->tenant->name, x->route.vmta->name, x->to.canonical));
    admin_put(&o, "settings", settings_list(x));
    return admin_object_end(&o);
}

int explain(const struct conf *conf, const struct explain_question *q, json_t **ret, struct fl_err *err)
{
    struct explanation x = { .conf = conf, .q = q, .tenant = conf_tenant(conf, q->tenant) };
    json_t *json = NULL;
    int rc = 0;

    if (!x.tenant)
        return fl_fail(err, FL_ENOENT, "there is no tenant '%.*s'", SLICE_ARG(slice_head(q->tenant, 128)));
    if (q->user.n)
        x.user = conf_user(conf, q->user);
    if (q->user.n && (!x.user || x.user->tenant != x.tenant))
        return fl_fail(err, FL_ENOENT, "tenant '%s' has no user '%.*s'", x.tenant->name, SLICE_ARG(slice_head(q->user, 128)));
    buf_init(&x.header, 0);
    x.arena = arena_new(1024);
    if (!x.arena)
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
    else
        rc = build_header(&x, err);
    if (rc == 0) {
        json = answer(&x);
        if (!json)
            rc = fl_fail(err, FL_ENOMEM, "out of memory");
    }
    arena_free(x.arena);
    buf_free(&x.header);
    if (rc == 0)
        *ret = json;
    return rc;
}
