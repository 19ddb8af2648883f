/* admin_messages.c: the messages of a queue, one message, and its content: what the relay has to read first, so that the
 * answers come later. Loop thread. */
#include <stdlib.h>

#include "admin_call.h"
#include "admin_json.h"
#include "admin_page.h"
#include "admin_rows.h"
#include "header.h"

enum { RAW_MAX = 256 * 1024 * 1024 }; /* of a message that is shown whole; 503 above it */

/* ---------------------------------------------------------------- of a queue */
struct message_list {
    struct admin_call *call;
    struct admin_page page;
};

static void add_message(void *arg, const struct view_message *m)
{
    struct message_list *l = arg;

    admin_page_add(&l->page, admin_message_row(m));
}

static void messages_done(void *arg, struct slice next)
{
    struct message_list *l = arg;

    call_answer_json(l->call, 200, admin_page_end(&l->page, next));
    free(l);
}

void call_queue_messages(struct admin_call *c)
{
    const char *name = call_queue_name(c);
    struct message_list *l = calloc(1, sizeof *l);
    int rc = FL_ENOMEM;

    if (l && name && !admin_page_begin(&l->page, &c->query)) {
        free(l);
        call_answer_problem(c, 400, SLICE("limit is a number from 1 to 1000"));
        return;
    }
    if (l && name) {
        l->call = c;
        rc = relay_view_messages(c->ports->relay, slice_of(name), l->page.after, l->page.limit, add_message, messages_done, l);
    }
    if (rc == 0)
        return; /* messages_done answers, or has answered */
    json_decref(l ? l->page.items : NULL);
    free(l);
    if (rc == FL_ENOENT)
        call_answer_problem(c, 404, slice_of(arena_printf(c->arena, "there is no queue '%s', or it is empty", name)));
    else if (rc == FL_EINVAL)
        call_answer_problem(c, 400, SLICE("after is no key of this list"));
    else
        call_answer_error(c, rc, NULL);
}

/* ---------------------------------------------------------------- one message */
struct message_view {
    struct admin_call *call;
    struct ulid id;
    json_t *object, *recipients;
    bool has_failed;
    struct buf content; /* as much as the header needs, or all of it */
};

static bool parse_id(struct admin_call *c, struct ulid *ret)
{
    struct slice text = c->path.segment[2];

    if (ulid_parse(text, ret))
        return true;
    call_answer_problem(c, 404, slice_of(arena_printf(c->arena, "'%.*s' is no message id", SLICE_ARG(slice_head(text, 64)))));
    return false;
}

static struct message_view *view_new(struct admin_call *c, size_t content_max)
{
    struct message_view *v = calloc(1, sizeof *v);

    if (!v) {
        call_answer_problem(c, 500, SLICE("out of memory"));
        return NULL;
    }
    v->call = c;
    buf_init(&v->content, content_max);
    return v;
}

static void view_free(struct message_view *v)
{
    json_decref(v->object);
    json_decref(v->recipients);
    buf_free(&v->content);
    free(v);
}

static void not_found(struct message_view *v)
{
    char text[ULID_TEXT];

    ulid_text(&v->id, text);
    call_answer_problem(v->call, 404, slice_of(arena_printf(v->call->arena, "there is no message '%s'", text)));
    view_free(v);
}

static void add_recipient(void *arg, const struct view_message *m)
{
    struct message_view *v = arg;

    if (!v->object) {
        v->object = admin_message_object(m->env);
        v->recipients = json_array();
    }
    if (!v->object || json_array_append_new(v->recipients, admin_recipient_row(m)) < 0)
        v->has_failed = true;
}

/* Collects until the header is there. */
static bool header_piece(void *arg, struct slice bytes)
{
    struct message_view *v = arg;
    struct header_scan scan;

    bytes = slice_head(bytes, v->content.max - buf_len(&v->content));
    return buf_add(&v->content, bytes) == 0 && buf_len(&v->content) < v->content.max &&
           header_scan(buf_slice(&v->content), false, &scan) == HEADER_MORE;
}

/* The content may be gone or unreadable: the envelope is shown all the same. */
static json_t *headers(const struct message_view *v)
{
    struct header_scan scan;

    if (!buf_len(&v->content) || header_scan(buf_slice(&v->content), true, &scan) == HEADER_TOO_LARGE)
        return json_null();
    return admin_header_list(scan.block);
}

static void header_done(void *arg, int rc)
{
    struct message_view *v = arg;
    struct admin_object o = { v->object, v->has_failed };

    v->object = NULL;
    admin_put(&o, "recipients", v->recipients);
    v->recipients = NULL;
    admin_put(&o, "headers", headers(v));
    call_answer_json(v->call, 200, admin_object_end(&o));
    view_free(v);
}

static void recipients_done(void *arg, bool found)
{
    struct message_view *v = arg;

    if (!found || (!v->object && !v->has_failed)) {
        not_found(v);
    } else if (v->has_failed) {
        call_answer_problem(v->call, 500, SLICE("out of memory"));
        view_free(v);
    } else {
        relay_view_content(v->call->ports->relay, &v->id, header_piece, header_done, v);
    }
}

void call_message(struct admin_call *c)
{
    struct message_view *v;
    struct ulid id;

    if (!parse_id(c, &id) || !(v = view_new(c, HEADER_BYTES_MAX + 4)))
        return;
    v->id = id;
    relay_view_message(c->ports->relay, &v->id, add_recipient, recipients_done, v);
}

/* ---------------------------------------------------------------- its content */
static bool raw_piece(void *arg, struct slice bytes)
{
    struct message_view *v = arg;

    if (buf_add(&v->content, bytes) < 0)
        v->has_failed = true;
    return !v->has_failed;
}

static void raw_done(void *arg, int rc)
{
    struct message_view *v = arg;

    if (v->has_failed) {
        call_answer_problem(v->call, 503, SLICE("the message is too large to be shown whole"));
    } else if (rc == FL_ENOENT) {
        not_found(v);
        return;
    } else if (rc < 0) {
        call_answer_error(v->call, rc, "the message cannot be read");
    } else {
        call_answer_text(v->call, "message/rfc822", &v->content);
    }
    view_free(v);
}

void call_message_raw(struct admin_call *c)
{
    struct message_view *v;
    struct ulid id;

    if (!parse_id(c, &id) || !(v = view_new(c, RAW_MAX)))
        return;
    v->id = id;
    relay_view_content(c->ports->relay, &v->id, raw_piece, raw_done, v);
}
