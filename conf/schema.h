/* schema.h: the one table of everything that may stand in a configuration file. parse.c checks files against it, the
 * builders take places and defaults from it, docs/configuration.md is printed from it (reference.c), and the tests spoil
 * each of its keys. Pure; constant; any thread. */
#ifndef FL_SCHEMA_H
#define FL_SCHEMA_H

#include "buf.h"
#include "conf.h"

/* A mapping with fixed keys. */
enum schema_block {
    BLOCK_NONE,
    BLOCK_ROOT,
    BLOCK_SERVER,
    BLOCK_MEMORY,
    BLOCK_SANDBOX,
    BLOCK_LISTENER,
    BLOCK_PROXY_PROTOCOL,
    BLOCK_TLS,
    BLOCK_CERTIFICATE,
    BLOCK_SOURCE,
    BLOCK_STORE,
    BLOCK_COMMIT_GROUP,
    BLOCK_DNS,
    BLOCK_DELIVERY,
    BLOCK_RETRY,
    BLOCK_SMART_HOST,
    BLOCK_SECRET,
    BLOCK_DSN,
    BLOCK_VMTA,
    BLOCK_POOL,
    BLOCK_TENANT,
    BLOCK_USER,
    BLOCK_PASSWORD,
    BLOCK_USER_CERTIFICATE,
    BLOCK_ROUTE,
    BLOCK_WHEN,
    BLOCK_DELIVERY_POOL,
    BLOCK_MAX_QUEUED,
    BLOCK_HEADERS,
    BLOCK_ADMIN,
    BLOCK_HTTP,
    BLOCK_TOKEN,
    BLOCK_ACCOUNTING,
    BLOCK_ROTATE,
    BLOCK_LOG,
    SCHEMA_BLOCKS,
};

/* What a single text means (value.c). */
enum value_type {
    VALUE_NONE, /* the key takes no single text */
    VALUE_FLAG,
    VALUE_NUMBER,
    VALUE_SPAN,
    VALUE_SIZE,
    VALUE_RATE,
    VALUE_PERCENT,
    VALUE_FACTOR,
    VALUE_CHOICE,
    VALUE_TEXT,
    VALUE_USER,           /* a system user, or empty */
    VALUE_HOST,
    VALUE_DOMAIN_PATTERN,
    VALUE_MAIL_ADDRESS,
    VALUE_RELAY_ADDRESS,  /* an address, or a pattern */
    VALUE_SENDER_PATTERN,
    VALUE_HEADER_PATTERN, /* a pattern, or the text itself */
    VALUE_HEADER_NAME,
    VALUE_FILE,
    VALUE_INCLUDE,
    VALUE_SECRET,
    VALUE_REFERENCE,      /* the name of something that stands elsewhere */
    VALUE_NETWORK,
    VALUE_ADDRESS,
    VALUE_ENDPOINT,
    VALUE_LISTEN,
    VALUE_DNS_SERVER,
    VALUE_SMART_HOST,
    VALUE_FINGERPRINT,
    VALUE_TYPES,
};

/* In which forms a key may come. */
enum schema_form {
    FORM_ONE = 1,           /* a single text */
    FORM_LIST = 2,          /* a list of such texts */
    FORM_BLOCK = 4,         /* a mapping with the keys of `of` */
    FORM_BLOCKS = 8,        /* a list of such mappings */
    FORM_NAMED_BLOCKS = 16, /* names → such mappings */
    FORM_NAMED = 32,        /* names → texts */
    FORM_NAMED_LISTS = 64,  /* names → texts or lists of texts */
};

/* What the names of FORM_NAMED… are. */
enum name_type { NAME_PLAIN, NAME_USER, NAME_DOMAIN_PATTERN, NAME_HOST, NAME_HEADER };

enum schema_flag {
    KEY_REQUIRED = 1,
    KEY_MAY_BE_NULL = 2,
    KEY_UNLIMITED = 4, /* `unlimited` is allowed, and is INT64_MAX (a rate: count 0) */
    KEY_NEVER = 8,     /* `never` is allowed, and is NEVER_MS */
    KEY_NOT_EMPTY = 16, /* a list or mapping must hold something */
    KEY_INLINE = 32,   /* the values of its block go into the same struct as those of the block around it */
    KEY_AS_FLAG = 64,  /* a choice of two that is kept as bool */
    KEY_WRITTEN = 128, /* a file or folder that the daemon writes; all other files are read */
};

struct schema_key {
    enum schema_block in;
    const char *name;
    unsigned forms; /* enum schema_form; 0: FORM_ONE */
    enum value_type type;
    enum schema_block of;
    enum name_type names;
    unsigned flags;          /* enum schema_flag */
    int64_t min, max;        /* of numbers, milliseconds, bytes, counts of a rate */
    const char *const *choices; /* VALUE_CHOICE: up to NULL; the value is the index */
    const char *fallback;    /* the default, as one would type it; NULL: absent */
    const char *fallback_says; /* for people, where the default is no fixed text */
    size_t offset;           /* where the value goes in the struct of its block; 0: a builder takes it */
    int setting;             /* 1 + enum setting; 0: none */
    const char *example, *help;
};

extern const struct schema_key schema_keys[];
extern const int schema_key_count;

/* The block whose keys may stand in this one too (delivery settings in a VMTA or tenant), or BLOCK_NONE. */
enum schema_block schema_extends(enum schema_block block);
/* NULL when there is none. */
const struct schema_key *schema_find(enum schema_block block, struct slice name);
/* The known key that is written most like this one, and by how many slips; never NULL. */
const struct schema_key *schema_nearest(enum schema_block block, struct slice name, int *ret_slips);
/* Calls for every key of the block, those of schema_extends() included: `for (k = NULL; (k = schema_next(block, k)); )`. */
const struct schema_key *schema_next(enum schema_block block, const struct schema_key *after);
/* What is allowed, as a phrase: "a number from 1 to 65535". */
int schema_allowed(const struct schema_key *key, struct buf *out);
static inline unsigned schema_forms(const struct schema_key *key) { return key->forms ? key->forms : FORM_ONE; }

/* docs/configuration.md. */
int schema_reference(struct buf *out);

#endif
