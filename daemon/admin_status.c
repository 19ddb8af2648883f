/* admin_status.c: how the daemon is: status, metrics, and what a load balancer asks. Loop thread. */
#include <unistd.h>

#include "admin_call.h"
#include "admin_json.h"
#include "store.h"

static const char *health_name(enum store_health h)
{
    static const char *const names[] = { [STORE_OK] = "ok", [STORE_FULL] = "full", [STORE_FAILED] = "failed" };

    return names[h];
}

static json_t *config_object(const struct admin_ports *p)
{
    struct admin_object o = admin_object();

    admin_put(&o, "file", admin_text(slice_of(relay_conf(p->relay)->file)));
    admin_put(&o, "loaded", admin_time(p->conf_loaded_ms(p->arg)));
    admin_put(&o, "generation", json_integer((json_int_t)relay_generation(p->relay)));
    return admin_object_end(&o);
}

static json_t *sessions_object(const struct admin_ports *p, const struct view_totals *t)
{
    struct admin_object o = admin_object();

    admin_put(&o, "in", json_integer(p->sessions_in(p->arg)));
    admin_put(&o, "out", json_integer(t->connections));
    return admin_object_end(&o);
}

static json_t *queued_object(const struct view_totals *t)
{
    struct admin_object o = admin_object();

    admin_put(&o, "messages", json_integer(t->messages));
    admin_put(&o, "recipients", json_integer(t->recipients));
    admin_put(&o, "bytes", json_integer(t->bytes));
    return admin_object_end(&o);
}

static json_t *store_object(const struct admin_ports *p)
{
    struct admin_object o = admin_object();
    struct store_stats stats;

    store_stats(p->store, &stats);
    admin_put(&o, "state", json_string(health_name(store_health(p->store))));
    admin_put(&o, "wal_bytes", json_integer(stats.wal_bytes));
    admin_put(&o, "free_bytes", json_integer(stats.free_bytes));
    return admin_object_end(&o);
}

static void add_warning(void *arg, const char *text)
{
    json_array_append_new(arg, admin_text(slice_of(text)));
}

static json_t *warnings_list(const struct admin_ports *p)
{
    const struct conf *conf = relay_conf(p->relay);
    json_t *list = json_array();

    if (!list)
        return NULL;
    for (int i = 0; i < conf->warning_count; i++)
        add_warning(list, conf->warnings[i]);
    p->warnings(p->arg, add_warning, list);
    return list;
}

void call_status(struct admin_call *c)
{
    const struct admin_ports *p = c->ports;
    struct admin_object o = admin_object();
    bool draining = relay_is_draining(p->relay);
    struct view_totals totals = { 0 };

    relay_view_totals(p->relay, &totals);
    admin_put(&o, "version", json_string(FAIRLEAD_VERSION));
    admin_put(&o, "sqlite", json_string(store_sqlite_version()));
    admin_put(&o, "pid", json_integer(getpid()));
    admin_put(&o, "started", admin_time(p->started_ms));
    admin_put(&o, "config", config_object(p));
    admin_put(&o, "accepting", json_boolean(!draining && p->is_ready(p->arg) && store_health(p->store) == STORE_OK));
    admin_put(&o, "draining", json_boolean(draining));
    admin_put(&o, "sessions", sessions_object(p, &totals));
    admin_put(&o, "queued", queued_object(&totals));
    admin_put(&o, "store", store_object(p));
    admin_put(&o, "warnings", warnings_list(p));
    call_answer_json(c, 200, admin_object_end(&o));
}

void call_metrics(struct admin_call *c)
{
    const struct admin_ports *p = c->ports;
    struct metrics_sources from = { .relay = p->relay,
                                    .store = p->store,
                                    .wall_ms = p->now->wall_ms,
                                    .sessions_in = p->sessions_in(p->arg),
                                    .openssl = p->openssl };
    struct buf page;

    buf_init(&page, 0);
    if (metrics_write(p->metrics, &from, &page) < 0)
        call_answer_problem(c, 500, SLICE("out of memory"));
    else
        call_answer_text(c, "text/plain; version=0.0.4; charset=utf-8", &page);
    buf_free(&page);
}

static void answer_state(struct admin_call *c, const char *state)
{
    struct admin_object o = admin_object();

    admin_put(&o, "status", json_string(state));
    call_answer_json(c, 200, admin_object_end(&o));
}

void call_healthz(struct admin_call *c)
{
    answer_state(c, "ok");
}

void call_readyz(struct admin_call *c)
{
    if (!c->ports->is_ready(c->ports->arg))
        call_answer_problem(c, 503, SLICE("not ready yet"));
    else if (relay_is_draining(c->ports->relay))
        call_answer_problem(c, 503, SLICE("draining: nothing is accepted"));
    else
        answer_state(c, "ready");
}
