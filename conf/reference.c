/* reference.c: docs/configuration.md, printed from the table (schema.h). Pure. */
#include "schema.h"

static const struct {
    enum schema_block block;
    const char *title, *text;
} sections[] = {
    { BLOCK_ROOT, "The file", "A file is a mapping of these sections; all may be left out." },
    { BLOCK_SERVER, "server", NULL },
    { BLOCK_LISTENER, "listeners[]", NULL },
    { BLOCK_TLS, "tls", NULL },
    { BLOCK_SOURCE, "sources[]",
      "Settings that a network does not say come from the next wider network in the list, at last from the defaults below. An "
      "address that "
      "no entry holds gets the defaults." },
    { BLOCK_STORE, "store", NULL },
    { BLOCK_DNS, "dns", NULL },
    { BLOCK_DELIVERY, "Delivery settings",
      "They stand in `defaults`, in a virtual MTA, in a tenant, and in the `domains` of all three. For one message each key is "
      "taken "
      "from the first of these that has it: the virtual MTA's domain block, the tenant's domain block, `domains`, the virtual "
      "MTA, "
      "the tenant, `defaults`; among domain blocks of one place the exact name, then the longest `*.suffix`, then `*`." },
    { BLOCK_VMTA, "vmtas.NAME", "Beside these keys all delivery settings." },
    { BLOCK_POOL, "pools.NAME", NULL },
    { BLOCK_TENANT, "tenants.NAME", "Beside these keys all delivery settings." },
    { BLOCK_ADMIN, "admin", NULL },
    { BLOCK_ACCOUNTING, "accounting[]", NULL },
    { BLOCK_LOG, "log", NULL },
};

/* A vertical bar would end the cell. */
static int add_cell(struct buf *out, struct slice text)
{
    int rc = buf_add_text(out, " ");

    for (size_t i = 0; i < text.n && rc == 0; i++)
        rc = text.p[i] == '|' ? buf_add_text(out, "\\|") : buf_add_char(out, text.p[i]);
    return rc < 0 ? rc : buf_add_text(out, " |");
}

static int add_code(struct buf *out, const char *text)
{
    return buf_printf(out, " `%s` |", text);
}

static int add_default(const struct schema_key *k, struct buf *out)
{
    if (k->flags & KEY_REQUIRED)
        return buf_add_text(out, " required |");
    if (k->fallback)
        return add_code(out, k->fallback[0] ? k->fallback : "\"\"");
    if (k->type == VALUE_NONE)
        return buf_add_text(out, " |");
    return buf_printf(out, " %s |", k->fallback_says ? k->fallback_says : "absent");
}

/* Keys of a mapping have rows of their own. */
static int add_allowed(const struct schema_key *k, struct buf *out)
{
    struct buf allowed;
    int rc;

    if (k->type == VALUE_NONE)
        return buf_add_text(out, k->forms & FORM_BLOCK    ? " a mapping |"
                                 : k->forms & FORM_BLOCKS ? " a list of mappings |"
                                                          : " names, each with a mapping |");
    buf_init(&allowed, 0);
    rc = schema_allowed(k, &allowed);
    if (rc == 0)
        rc = add_cell(out, buf_slice(&allowed));
    buf_free(&allowed);
    return rc;
}

static int add_row(const struct schema_key *k, const char *prefix, struct buf *out)
{
    int rc = buf_printf(out, "| `%s%s` |", prefix, k->name);

    if (rc == 0)
        rc = add_allowed(k, out);
    if (rc == 0)
        rc = add_default(k, out);
    if (rc == 0)
        rc = k->example ? add_code(out, k->example) : buf_add_text(out, " |");
    if (rc == 0)
        rc = add_cell(out, slice_of(k->help));
    return rc < 0 ? rc : buf_add_text(out, "\n");
}

static bool has_section(enum schema_block block)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (sections[i].block == block)
            return true;
    return false;
}

/* The keys of a block, and below each those of a block inside it that has no section of its own. */
static int add_rows(enum schema_block block, const char *prefix, struct buf *out)
{
    int rc = 0;

    for (int i = 0; i < schema_key_count && rc == 0; i++) {
        const struct schema_key *k = &schema_keys[i];
        struct buf inner;

        if (k->in != block)
            continue;
        rc = add_row(k, prefix, out);
        if (rc < 0 || k->of == BLOCK_NONE || has_section(k->of))
            continue;
        buf_init(&inner, 0);
        rc = buf_printf(&inner, "%s%s%s%c", prefix, k->name,
                        k->forms & FORM_BLOCKS         ? "[]."
                        : k->forms & FORM_NAMED_BLOCKS ? ".NAME."
                                                       : ".",
                        '\0');
        if (rc == 0)
            rc = add_rows(k->of, buf_slice(&inner).p, out);
        buf_free(&inner);
    }
    return rc;
}

static int add_head(struct buf *out)
{
    return buf_add_text(out, "# Configuration\n\n"
                             "Every key, printed from the table that the parser reads (`fairlead check --reference`). "
                             "`fairlead check` reports every error "
                             "of a file at once, as `FILE:LINE:COLUMN: error: what was found; what is allowed`.\n\n"
                             "The file is YAML. Words are what their key says, never guessed: `no` as a name is the name `no`, "
                             "a flag is `true` or `false`. "
                             "Aliases and tags are refused. Units: `ms s m h d`; `B KiB MiB GiB`; rates `N/unit` or `N/Kunit` "
                             "with `s m h d`; `%`. No limit "
                             "is written `unlimited`, no time `never`; a limit of 0 is an error. Names of tenants, virtual "
                             "MTAs and pools are made of "
                             "letters, digits, `.`, `_` and `-`; those of users also of `@` and `+`. Relative file names begin "
                             "in the main file's folder.\n");
}

int schema_reference(struct buf *out)
{
    int rc = add_head(out);

    for (size_t i = 0; i < sizeof sections / sizeof *sections && rc == 0; i++) {
        rc = buf_printf(out, "\n## %s\n\n", sections[i].title);
        if (rc == 0 && sections[i].text)
            rc = buf_printf(out, "%s\n\n", sections[i].text);
        if (rc == 0)
            rc = buf_add_text(out, "| key | allowed | default | example | meaning |\n|---|---|---|---|---|\n");
        if (rc == 0)
            rc = add_rows(sections[i].block, "", out);
    }
    return rc;
}
