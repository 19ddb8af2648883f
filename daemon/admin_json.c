/* admin_json.c: see admin_json.h. Pure. */
#include "admin_json.h"

#include "clock.h"
#include "err.h"
#include "printable.h"

struct admin_object admin_object(void)
{
    json_t *json = json_object();

    return (struct admin_object){ json, !json };
}

void admin_put(struct admin_object *o, const char *key, json_t *value)
{
    if (json_object_set_new(o->json, key, value) < 0) /* decrefs value also then */
        o->has_failed = true;
}

json_t *admin_object_end(struct admin_object *o)
{
    json_t *json = o->json;

    if (o->has_failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}

json_t *admin_text(struct slice s)
{
    struct buf clean;
    struct slice text;
    json_t *json = NULL;

    if (!s.n)
        return json_string("");
    if (printable_run(s) == s.n)
        return json_stringn(s.p, s.n);
    buf_init(&clean, 0);
    if (printable_add(s, &clean) == 0) {
        text = buf_slice(&clean);
        json = json_stringn(text.p, text.n);
    }
    buf_free(&clean);
    return json;
}

json_t *admin_text_or_null(struct slice s)
{
    return s.n ? admin_text(s) : json_null();
}

json_t *admin_ulid(const struct ulid *id)
{
    char text[ULID_TEXT];

    ulid_text(id, text);
    return json_string(text);
}

json_t *admin_time(int64_t wall_ms)
{
    char text[CLOCK_RFC3339];

    if (wall_ms == 0 || wall_ms == NEVER_MS)
        return json_null();
    clock_rfc3339(wall_ms, text);
    return json_string(text);
}

json_t *admin_age_s(int64_t since_ms, int64_t now_ms)
{
    return json_integer(since_ms && since_ms < now_ms ? (now_ms - since_ms) / SECOND_MS : 0);
}

json_t *admin_reply(const struct last_reply *r)
{
    struct admin_object o;

    if (!r->time_ms)
        return json_null();
    o = admin_object();
    admin_put(&o, "time", admin_time(r->time_ms));
    admin_put(&o, "stage", admin_text_or_null(slice_of(reply_stage_name(r->stage))));
    admin_put(&o, "code", r->code ? json_integer(r->code) : json_null());
    admin_put(&o, "enhanced", admin_text_or_null(r->enhanced));
    admin_put(&o, "text", admin_text_or_null(r->text));
    admin_put(&o, "mx", admin_text_or_null(r->mx));
    return admin_object_end(&o);
}

static int add_piece(const char *bytes, size_t n, void *arg)
{
    return buf_add(arg, slice_make(bytes, n)) < 0 ? -1 : 0;
}

int admin_json_write(json_t *json, struct buf *out)
{
    int rc = json && json_dump_callback(json, add_piece, out, JSON_COMPACT) == 0 ? 0 : FL_ENOMEM;

    json_decref(json);
    return rc == 0 ? buf_add(out, SLICE("\n")) : rc;
}
