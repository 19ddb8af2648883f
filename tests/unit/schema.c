/* The table of keys: each of them is spoilt in every way that its own row calls wrong, and each default and example is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "yaml_nodes.h"

enum { DEEP = 8 };

/* The way from the root to a block: the keys on it. */
struct way {
    const struct schema_key *keys[DEEP];
    int count;
};

static bool find_way(enum schema_block from, enum schema_block to, struct way *w)
{
    if (from == to)
        return true;
    for (int i = 0; i < schema_key_count && w->count < DEEP; i++) {
        const struct schema_key *k = &schema_keys[i];

        if (k->in != from || k->of == BLOCK_NONE || (k->of == BLOCK_DELIVERY && from != BLOCK_ROOT))
            continue;
        w->keys[w->count++] = k;
        if (find_way(k->of, to, w))
            return true;
        w->count--;
    }
    return false;
}

static const char *name_for(enum name_type type)
{
    return type == NAME_DOMAIN_PATTERN || type == NAME_HOST ? "one.example" : "one";
}

/* A document that says `key: value` in its place; returns the line on which it stands. */
static int write_document(const struct schema_key *key, const char *value, struct buf *out)
{
    struct way w = { .count = 0 };
    int indent = 0, line = 1;

    assert_true(find_way(BLOCK_ROOT, key->in, &w));
    for (int i = 0; i < w.count; i++) {
        const struct schema_key *k = w.keys[i];

        buf_printf(out, "%*s%s:\n", indent, "", k->name);
        indent += 2;
        line++;
        if (k->forms & FORM_NAMED_BLOCKS) {
            buf_printf(out, "%*s%s:\n", indent, "", name_for(k->names));
            indent += 2;
            line++;
        } else if (k->forms & FORM_BLOCKS) {
            buf_printf(out, "%*s-\n", indent, "");
            indent += 2;
            line++;
        }
    }
    buf_printf(out, "%*s%s: %s\n", indent, "", key->name, value);
    return line;
}

/* What is said of that line about that key; "" when nothing is. */
static void judge(const struct schema_key *key, const char *value, char *ret, size_t size)
{
    struct arena *nodes = arena_new(4096);
    struct conf_findings findings = { 0 };
    struct parse p = {
        .scratch = nodes, .conf = conf_new(), .findings = &findings, .folder = "/tmp", .machine_name = "localhost"
    };
    struct node *root = NULL;
    struct buf text;
    int line;

    buf_init(&text, 0);
    line = write_document(key, value, &text);
    ret[0] = '\0';
    assert_int_equal(yaml_parse(nodes, buf_slice(&text), "test", &findings, &root), 0);
    assert_int_equal(parse_root(&p, root), 0);
    for (int i = 0; i < findings.count && !ret[0]; i++)
        if (findings.items[i].at.line == line && !strstr(findings.items[i].text, "is missing; it is required"))
            snprintf(ret, size, "%s", findings.items[i].text);
    buf_free(&text);
    conf_findings_free(&findings);
    conf_unref(p.conf);
    arena_wipe(nodes);
}

static void must_be_wrong(const struct schema_key *key, const char *value)
{
    char said[1024];

    judge(key, value, said, sizeof said);
    if (!said[0])
        fail_msg("%s: %s was taken", key->name, value);
    if (!strstr(said, key->name) && !strstr(said, "unknown key"))
        fail_msg("%s: %s: the message does not name the key: %s", key->name, value, said);
}

static void must_be_right(const struct schema_key *key, const char *value)
{
    char said[1024];

    judge(key, value, said, sizeof said);
    if (said[0])
        fail_msg("%s: %s was refused: %s", key->name, value, said);
}

/* Values that are wrong for a type, whatever the key; up to NULL. */
static const char *const wrong[VALUE_TYPES][12] = {
    [VALUE_FLAG] = { "yes", "no", "on", "1", "0", "True", "maybe" },
    [VALUE_NUMBER] = { "many", "-1", "1.5", "1e3", "0x10", "010", "5s", "99999999999999999999", "\"\"" },
    [VALUE_SPAN] = { "5", "5x", "-1s", "s", "soon", "1e3s", "5 apples", "\"\"" },
    [VALUE_SIZE] = { "5", "10MB", "-1KiB", "1.5.5MiB", "large", "\"\"" },
    [VALUE_RATE] = { "0", "0/s", "-5/s", "100", "100/fortnight", "100/", "/s", "often", "\"\"" },
    [VALUE_PERCENT] = { "10", "-10%", "101%", "\"%\"", "some" },
    [VALUE_FACTOR] = { "0", "-2", "two", "1000", "1e1" },
    [VALUE_CHOICE] = { "zzz", "\"\"", "5" },
    [VALUE_TEXT] = { "\"\"", "\"a\\nb\"" },
    [VALUE_USER] = { "a/b", "\"a b\"" },
    [VALUE_HOST] = { "\"\"", "a_b.example", "-a.example", "a..example", "192.0.2.1", "\"a b\"", "\"[192.0.2.1]\"" },
    [VALUE_DOMAIN_PATTERN] = { "\"\"", "a.*.example", "\"*a.example\"", "\"**\"", "a..example", "\"*.\"" },
    [VALUE_MAIL_ADDRESS] = { "\"\"", "postmaster", "\"@one.example\"", "a@", "a@b@c", "a@192.0.2.1", "a..b@one.example" },
    [VALUE_RELAY_ADDRESS] = { "\"\"", "postmaster", "a@b..c", "'/(/'", "'/a'", "'/a/q'" },
    [VALUE_SENDER_PATTERN] = { "\"\"", "news", "\"*@\"", "\"*@a.*.example\"", "a@" },
    [VALUE_HEADER_NAME] = { "\"\"", "\"a b\"", "\"a:\"" },
    [VALUE_FILE] = { "\"\"", "\"a\\nb\"" },
    [VALUE_INCLUDE] = { "\"\"" },
    [VALUE_SECRET] = { "\"\"" },
    [VALUE_REFERENCE] = { "\"\"", ".hidden", "a/b", "\"a b\"" },
    [VALUE_NETWORK] = { "\"\"", "192.0.2.0/33", "192.0.2.1/24", "192.0.2", "\"2001:db8:::/32\"", "\"2001:db8::/129\"",
                        "everybody" },
    [VALUE_ADDRESS] = { "\"\"", "192.0.2.256", "192.0.2.0/24", "\"::g\"", "\"[::1]\"" },
    [VALUE_ENDPOINT] = { "\"\"", "192.0.2.1", "\"192.0.2.1:0\"", "\"192.0.2.1:65536\"", "\"192.0.2.1:smtp\"", "\"::1:25\"" },
    [VALUE_LISTEN] = { "\"\"", "25", "192.0.2.1", "\"192.0.2.1:0\"", "\"192.0.2.1:65536\"", "\"a_b:25\"",
                       "\"[one.example]:25\"" },
    [VALUE_DNS_SERVER] = { "\"\"", "one.example", "\"192.0.2.1:0\"", "\"192.0.2.1:99999\"" },
    [VALUE_SMART_HOST] = { "\"\"", "\"[192.0.2.1]:99999\"", "\"[192.0.2.1\"", "\"[192.0.2.1]25\"", "\"a_b:25\"", "\":25\"" },
    [VALUE_FINGERPRINT] = { "\"\"", "ab:cd", "\"zz\"" },
};

static void spoil_one(const struct schema_key *k)
{
    char value[128];
    bool is_list = !(schema_forms(k) & FORM_ONE);

    for (int i = 0; wrong[k->type][i]; i++) {
        if ((k->forms & (FORM_NAMED | FORM_NAMED_LISTS)))
            snprintf(value, sizeof value, "{one.example: %s}", wrong[k->type][i]);
        else
            snprintf(value, sizeof value, is_list ? "[%s]" : "%s", wrong[k->type][i]);
        must_be_wrong(k, value);
    }
}

static void spoil_range(const struct schema_key *k)
{
    static const struct {
        enum value_type type;
        const char *unit;
    } units[] = { { VALUE_NUMBER, "" }, { VALUE_SPAN, "ms" }, { VALUE_SIZE, "B" } };
    char value[64];

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].type != k->type || !(schema_forms(k) & FORM_ONE))
            continue;
        snprintf(value, sizeof value, "%lld%s", (long long)k->max + 1, units[i].unit);
        must_be_wrong(k, value);
        snprintf(value, sizeof value, "%lld%s", (long long)k->max, units[i].unit);
        must_be_right(k, value);
        snprintf(value, sizeof value, "%lld%s", (long long)k->min, units[i].unit);
        must_be_right(k, value);
        if (k->min > 0) {
            snprintf(value, sizeof value, "%lld%s", (long long)k->min - 1, units[i].unit);
            must_be_wrong(k, value);
        }
    }
}

static void spoil_form(const struct schema_key *k)
{
    unsigned forms = schema_forms(k);
    bool maps = forms & (FORM_BLOCK | FORM_NAMED_BLOCKS | FORM_NAMED | FORM_NAMED_LISTS);

    if (!(k->flags & KEY_MAY_BE_NULL)) {
        must_be_wrong(k, "");
        must_be_wrong(k, "null");
    }
    if (!(forms & FORM_ONE))
        must_be_wrong(k, "word");
    if (!(forms & (FORM_LIST | FORM_BLOCKS)))
        must_be_wrong(k, "[a, b]");
    if (!maps)
        must_be_wrong(k, "{zzz: 1}");
    if (forms & FORM_LIST)
        must_be_wrong(k, "[[a]]");
    if (forms & FORM_BLOCKS)
        must_be_wrong(k, "[word]");
    if (forms & (FORM_BLOCK))
        must_be_wrong(k, "{zzz: 1}");
    if (k->flags & KEY_NOT_EMPTY && forms & FORM_LIST)
        must_be_wrong(k, "[]");
}

static void every_key_refuses_every_wrong_form(void **state)
{
    for (int i = 0; i < schema_key_count; i++)
        spoil_form(&schema_keys[i]);
}

static void every_key_refuses_every_wrong_value(void **state)
{
    for (int i = 0; i < schema_key_count; i++)
        if (schema_keys[i].type != VALUE_NONE)
            spoil_one(&schema_keys[i]);
}

static void every_key_holds_its_range(void **state)
{
    for (int i = 0; i < schema_key_count; i++)
        spoil_range(&schema_keys[i]);
}

static void every_limit_of_zero_is_answered_with_unlimited(void **state)
{
    char said[1024];

    for (int i = 0; i < schema_key_count; i++)
        if (schema_keys[i].flags & KEY_UNLIMITED) {
            judge(&schema_keys[i], "0", said, sizeof said);
            assert_non_null(strstr(said, "unlimited"));
            must_be_right(&schema_keys[i], "unlimited");
        } else if (schema_keys[i].type == VALUE_NUMBER && schema_forms(&schema_keys[i]) == FORM_ONE) {
            must_be_wrong(&schema_keys[i], "unlimited");
        }
}

static void every_default_and_every_example_is_right(void **state)
{
    for (int i = 0; i < schema_key_count; i++) {
        const struct schema_key *k = &schema_keys[i];

        assert_non_null(k->help);
        assert_true(k->example || k->type == VALUE_NONE);
        if (k->fallback)
            must_be_right(k, k->fallback[0] ? k->fallback : "\"\"");
        if (k->example && k->type != VALUE_FINGERPRINT)
            must_be_right(k, k->example);
        for (int c = 0; k->choices && k->choices[c]; c++) {
            char value[64];

            snprintf(value, sizeof value, schema_forms(k) & FORM_ONE ? "\"%s\"" : "[\"%s\"]", k->choices[c]);
            must_be_right(k, value);
        }
    }
}

static void a_slip_of_the_pen_finds_its_key(void **state)
{
    for (int i = 0; i < schema_key_count; i++) {
        const struct schema_key *k = &schema_keys[i];
        char slip[64];
        int slips;

        snprintf(slip, sizeof slip, "%sx", k->name);
        assert_ptr_equal(schema_nearest(k->in, slice_of(slip), &slips), k);
        assert_int_equal(slips, 1);
    }
}

static void every_delivery_setting_has_one_key(void **state)
{
    for (int s = 0; s < SETTINGS; s++) {
        int n = 0;

        for (int i = 0; i < schema_key_count; i++)
            n += schema_keys[i].setting == 1 + s;
        assert_int_equal(n, 1);
    }
}

static void the_documentation_is_the_table(void **state)
{
    const char *root = getenv("FAIRLEAD_SOURCE");
    char path[512], *text = calloc(1, 1 << 20);
    struct buf out;
    FILE *f;

    assert_non_null(root);
    snprintf(path, sizeof path, "%s/docs/configuration.md", root);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    buf_init(&out, 0);
    assert_int_equal(schema_reference(&out), 0);
    if (!slice_eq(buf_slice(&out), slice_of(text)))
        fail_msg("docs/configuration.md is old: fairlead check --reference > docs/configuration.md");
    buf_free(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_refuses_every_wrong_form),
        cmocka_unit_test(every_key_refuses_every_wrong_value),
        cmocka_unit_test(every_key_holds_its_range),
        cmocka_unit_test(every_limit_of_zero_is_answered_with_unlimited),
        cmocka_unit_test(every_default_and_every_example_is_right),
        cmocka_unit_test(a_slip_of_the_pen_finds_its_key),
        cmocka_unit_test(every_delivery_setting_has_one_key),
        cmocka_unit_test(the_documentation_is_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
