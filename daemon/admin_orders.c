/* admin_orders.c: what changes something: actions, reload, drain; and explain, which only asks but by POST. Loop thread. */
#include <stdlib.h>

#include "admin_body.h"
#include "admin_call.h"
#include "admin_explain.h"
#include "admin_json.h"
#include "admin_order.h"
#include "admin_rows.h"

/* ---------------------------------------------------------------- actions */
struct pending_order {
    struct admin_call *call;
    struct admin_order order;
};

static void order_free(struct pending_order *p)
{
    admin_order_free(&p->order);
    free(p);
}

static void order_done(void *arg, int rc, const struct action_answer *answer, const char *text)
{
    struct pending_order *p = arg;

    if (rc < 0) {
        call_answer_error(p->call, rc, text);
    } else {
        struct admin_object o = admin_object();

        admin_put(&o, "task", p->order.action.dry_run ? json_null() : admin_ulid(&answer->task));
        admin_put(&o, "matched", json_integer(answer->matched));
        call_answer_json(p->call, 202, admin_object_end(&o));
    }
    order_free(p);
}

void call_actions(struct admin_call *c)
{
    struct pending_order *p = calloc(1, sizeof *p);
    struct fl_err err;
    int rc;

    if (!p) {
        call_answer_problem(c, 500, SLICE("out of memory"));
        return;
    }
    p->call = c;
    rc = admin_order_parse(c->q->body, &p->order, &err);
    if (rc < 0) {
        call_answer_error(c, rc, err.text);
        order_free(p);
        return;
    }
    p->order.action.who = call_who(c);
    relay_act(c->ports->relay, &p->order.action, order_done, p);
}

void call_task(struct admin_call *c)
{
    struct view_task task;
    struct ulid id;

    if (ulid_parse(c->path.segment[2], &id) && relay_view_task(c->ports->relay, &id, &task))
        call_answer_json(c, 200, admin_task_row(&task));
    else
        call_answer_problem(c, 404, SLICE("there is no such task, or it ended long ago"));
}

/* ---------------------------------------------------------------- explain, reload, drain */
void call_explain(struct admin_call *c)
{
    struct explain_question question;
    json_t *doc = NULL, *answer = NULL;
    struct fl_err err;
    int rc = admin_body_parse(c->q->body, &doc, &err);

    if (rc == 0)
        rc = explain_question_parse(doc, &question, &err);
    if (rc == 0) {
        question.seed = (uint64_t)c->ports->now->mono_ms;
        rc = explain(relay_conf(c->ports->relay), &question, &answer, &err);
    }
    if (rc < 0)
        call_answer_error(c, rc, err.text);
    else
        call_answer_json(c, 200, answer);
    json_decref(doc);
}

/* Reads a body that may have no key, or one flag. Answers and returns false when it is wrong. */
static bool read_flag(struct admin_call *c, const char *key, bool *ret)
{
    const char *const keys[] = { key, NULL };
    json_t *doc = NULL;
    struct fl_err err;
    int rc = admin_body_parse(c->q->body, &doc, &err);

    if (rc == 0)
        rc = admin_body_keys(doc, keys, &err);
    if (rc == 0 && key)
        rc = admin_body_flag(doc, key, ret, &err);
    json_decref(doc);
    if (rc < 0)
        call_answer_error(c, rc, err.text);
    return rc == 0;
}

static void reload_done(void *arg, int rc, struct slice findings)
{
    struct admin_call *c = arg;
    struct admin_object o;

    if (rc == FL_EINVAL || rc == FL_ENOENT) {
        call_answer_problem(c, 422, findings);
        return;
    }
    if (rc < 0) {
        call_answer_problem(c, 500, findings.n ? findings : SLICE("the configuration cannot be loaded"));
        return;
    }
    o = admin_object();
    admin_put(&o, "generation", json_integer((json_int_t)relay_generation(c->ports->relay)));
    admin_put(&o, "loaded", admin_time(c->ports->conf_loaded_ms(c->ports->arg)));
    admin_put(&o, "warnings", admin_text_or_null(findings));
    call_answer_json(c, 200, admin_object_end(&o));
}

void call_reload(struct admin_call *c)
{
    if (read_flag(c, NULL, NULL))
        c->ports->reload(c->ports->arg, reload_done, c);
}

void call_drain(struct admin_call *c)
{
    struct admin_object o;
    bool off = false;

    if (!read_flag(c, "off", &off))
        return;
    relay_drain(c->ports->relay, !off);
    o = admin_object();
    admin_put(&o, "draining", json_boolean(!off));
    call_answer_json(c, 200, admin_object_end(&o));
}
