/* admin_body.c: jansson, with our limits. Pure. */
#include "admin_body.h"

#include "printable.h"

int admin_body_parse(struct slice body, json_t **ret, struct fl_err *err)
{
    json_error_t why;
    json_t *json;

    if (!body.n) {
        json = json_object();
        if (!json)
            return fl_fail(err, FL_ENOMEM, "out of memory");
        *ret = json;
        return 0;
    }
    json = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return fl_fail(err, FL_EINVAL, "the body is no JSON: line %d, column %d: %s", why.line, why.column, why.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return fl_fail(err, FL_EINVAL, "the body is no JSON object");
    }
    *ret = json;
    return 0;
}

int admin_body_keys(const json_t *object, const char *const *keys, struct fl_err *err)
{
    for (void *i = json_object_iter((json_t *)object); i; i = json_object_iter_next((json_t *)object, i)) {
        const char *const *k = keys;

        while (*k && strcmp(*k, json_object_iter_key(i)) != 0)
            k++;
        if (!*k)
            return fl_fail(err, FL_EINVAL, "unknown key '%s'", json_object_iter_key(i));
    }
    return 0;
}

int admin_body_text(const json_t *object, const char *key, struct slice *ret, struct fl_err *err)
{
    const json_t *v = json_object_get(object, key);
    struct slice s;

    if (!v)
        return 0;
    if (!json_is_string(v))
        return fl_fail(err, FL_EINVAL, "%s: not a string", key);
    s = slice_make(json_string_value(v), json_string_length(v));
    if (!s.n || s.n > ADMIN_BODY_TEXT_MAX)
        return fl_fail(err, FL_EINVAL, "%s: empty, or longer than %d bytes", key, ADMIN_BODY_TEXT_MAX);
    if (printable_run(s) != s.n)
        return fl_fail(err, FL_EINVAL, "%s: control characters in it", key);
    *ret = s;
    return 0;
}

int admin_body_flag(const json_t *object, const char *key, bool *ret, struct fl_err *err)
{
    const json_t *v = json_object_get(object, key);

    if (!v)
        return 0;
    if (!json_is_boolean(v))
        return fl_fail(err, FL_EINVAL, "%s: neither true nor false", key);
    *ret = json_is_true(v);
    return 0;
}
