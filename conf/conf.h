/* conf.h: the configuration as one immutable object, and the questions that are asked of it.
 * Made by conf_load() (load.h) on any thread; once made, nothing in it changes, so every thread may read it. It is counted:
 * who keeps a pointer across calls holds a reference, and what is under way keeps the object that it began with (a reload makes
 * a new one). All pointers inside point into it and live as long as it does. All texts are NUL-terminated.
 * Names are those of the configuration file; docs/configuration.md has them with their meaning. */
#ifndef FL_CONF_H
#define FL_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "inet.h"
#include "pattern.h"
#include "slice.h"
#include "units.h"

/* FILE:LINE:COLUMN; file is as typed, or relative to the main file's folder. line 0: built in. */
struct conf_place {
    const char *file;
    int line, column; /* from 1 */
};

/* ---------------------------------------------------------------- delivery settings
 * What may stand in defaults, a vmta, a tenant, and in their domain blocks. A block is sparse: only the keys that it sets. */
enum tls_mode { TLS_NONE, TLS_OPPORTUNISTIC, TLS_REQUIRE, TLS_VERIFY };
enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

struct retry_schedule {
    /* either a list, whose last repeats … */
    int64_t *interval_ms;
    int count; /* ≥ 1 for a list */
    /* … or, with count 0, exponential: first × factor^n, at most max, each shifted by up to ± jitter */
    int64_t first_ms, max_ms;
    double factor;
    int jitter_permille;
};

struct smart_host {
    const char *host;      /* a name, or the text of an address (then addr.family is set) */
    struct inet_addr addr; /* family 0: a name */
    uint16_t port;
    bool is_literal;       /* "[name]:port": a name in brackets is looked up by address only, without MX */
    bool implicit_tls;
    bool has_tls;          /* its own `tls:` stands before the domain's */
    enum tls_mode tls;
    const char *user, *password; /* NULL: no login */
    bool allow_plaintext_login;
};

enum setting {
    SET_TLS,                        /* .tls */
    SET_TLS_MIN_VERSION,            /* .version */
    SET_TLS_CA,                     /* .text: a PEM file; NULL: the system's */
    SET_RETRY,                      /* .retry */
    SET_EXPIRE_AFTER,               /* .ms */
    SET_PORT,                       /* .number */
    SET_MAX_CONNECTIONS,            /* .number; INT64_MAX: unlimited */
    SET_MAX_MESSAGE_RATE,           /* .rate */
    SET_MAX_MESSAGES_PER_CONNECTION,/* .number; INT64_MAX: unlimited */
    SET_MAX_RECIPIENTS_PER_MESSAGE, /* .number */
    SET_NO_MX_FALLBACK,             /* .flag */
    SET_TLS_FALLBACK,               /* .flag */
    SET_ALLOW_LOOPBACK,             /* .flag */
    SET_CONNECT_TIMEOUT,            /* .ms */
    SET_TIMEOUTS,                   /* .ms: 0: rfc5321; else one span for every reply */
    SET_IDLE_TIMEOUT,               /* .ms */
    SET_IP_FAMILIES,                /* .families */
    SET_SMART_HOST,                 /* .smart_host; NULL: MX */
    SET_DSN_BOUNCE,                 /* .flag; key "dsn.bounce" */
    SET_DSN_DELAY_AFTER,            /* .ms; NEVER_MS: never; key "dsn.delay_after" */
    SETTINGS,
};

struct ip_families {
    uint8_t order[2]; /* 4, 6; 0: none */
};

struct setting_value {
    struct conf_place at;
    union {
        int64_t number, ms;
        bool flag;
        enum tls_mode tls;
        enum tls_version version;
        const char *text;
        struct rate rate;
        const struct retry_schedule *retry;
        const struct smart_host *smart_host;
        struct ip_families families;
    };
};

/* The keys that one block sets. Values of keys that are not set are undefined. */
struct settings {
    uint32_t set;                 /* bit per enum setting */
    const struct setting_value *value; /* dense: one for each bit set, in the order of the enum */
};

/* The value of a key in this block, or NULL. */
const struct setting_value *settings_get(const struct settings *s, enum setting key);
/* "max_connections" … as in the file. */
const char *setting_name(enum setting key);
/* The value as one would type it (`explain`). */
struct buf;
int setting_text(enum setting key, const struct setting_value *v, struct buf *out);

struct domain_block {
    struct slice pattern; /* canonical: exact, "*.suffix" or "*" */
    struct conf_place at;
    struct settings settings;
};

/* Sorted by pattern; looked up by name, then by each suffix, then "*". */
struct domain_blocks {
    const struct domain_block *block;
    int count;
};

/* The blocks that speak of this canonical domain, the most specific first; returns how many were put into ret (at most max). */
int domain_blocks_find(const struct domain_blocks *b, struct slice domain, const struct domain_block **ret, int max);

/* ---------------------------------------------------------------- virtual MTAs and pools */
struct conf_vmta {
    const char *name;
    struct conf_place at;
    int index; /* in conf->vmtas */
    const struct inet_addr *sources; /* 1 … 256 */
    int source_count;
    const char *hostname;          /* its EHLO name */
    int64_t total_max_connections; /* INT64_MAX: unlimited */
    struct rate total_max_message_rate;
    struct settings settings;
    struct domain_blocks domains;
};

struct pool_member {
    const struct conf_vmta *vmta;
    int64_t weight; /* ≥ 1 */
};

struct conf_pool {
    const char *name;
    struct conf_place at;
    const struct pool_member *members;
    int member_count;
};

/* ---------------------------------------------------------------- tenants */
enum user_method { USER_PASSWORD, USER_CERTIFICATE, USER_SYSTEM };
enum secret_kind { SECRET_PLAIN, SECRET_HASH, SECRET_SCRAM };

struct conf_user {
    const char *name;
    struct conf_place at;
    const struct conf_tenant *tenant;
    enum user_method method;
    enum secret_kind kind;       /* of method password */
    const char *secret;          /* plain text, crypt(3) hash, or SCRAM verifier */
    const uint8_t *cert_sha256;  /* 32 bytes, or NULL */
    const char *cert_dns;        /* canonical, or NULL */
};

/* Where mail goes: exactly one of the two is set. */
struct route_target {
    const struct conf_vmta *vmta;
    const struct conf_pool *pool;
};

/* All conditions that are set must hold. */
struct route_rule {
    struct conf_place at;
    const char *header;            /* field name, or NULL */
    const struct pattern *header_pattern;
    const char *header_text;       /* exact value when header_pattern is NULL */
    const char *sender;            /* "*@news.acme.example", "*@*.acme.example", "user@domain", or NULL */
    const char *user;
    struct route_target to;
};

struct conf_tenant {
    const char *name;
    struct conf_place at;
    int index; /* in conf->tenants */
    const struct conf_user *users;
    int user_count;
    const char *const *sender_domains; /* canonical patterns; count 0: nothing may be sent */
    int sender_domain_count;
    const struct conf_vmta *const *vmtas; /* granted */
    int vmta_count;
    const struct conf_pool *const *pools;
    int pool_count;
    struct route_target route;
    struct conf_place route_at;
    const struct route_rule *rules;
    int rule_count;
    int64_t share;             /* ≥ 1 */
    int64_t max_connections;   /* outgoing at once; INT64_MAX: unlimited */
    struct rate max_message_rate;
    struct conf_place share_at, max_connections_at, max_message_rate_at;
    int64_t max_message_size;  /* INT64_MAX: what the source allows */
    int64_t max_recipients;    /* likewise */
    struct rate max_accept_rate;
    int64_t max_queued_recipients, max_queued_bytes; /* INT64_MAX: unlimited */
    bool steering_headers;
    bool add_date, add_message_id; /* headers.add_missing */
    bool hide_client;
    const char *const *remove_headers;
    int remove_header_count;
    struct settings settings;
    struct domain_blocks domains;
};

/* Whether mail of this tenant may go by it. */
bool tenant_may_use_vmta(const struct conf_tenant *t, const struct conf_vmta *v);
bool tenant_may_use_pool(const struct conf_tenant *t, const struct conf_pool *p);
/* Whether it may send as this canonical domain. */
bool tenant_may_send_as(const struct conf_tenant *t, struct slice domain);

/* ---------------------------------------------------------------- who may connect */
enum listener_role { ROLE_SUBMISSION, ROLE_RELAY, ROLE_INBOUND };
enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_STARTTLS, LISTENER_TLS_IMPLICIT };

struct conf_listener {
    struct inet_endpoint endpoint;
    struct conf_place at;
    enum listener_role role;
    enum listener_tls tls;
    bool proxy_required;                 /* proxy_protocol stands in the block */
    const struct inet_net *proxy_from;   /* only these may, and then must, send a PROXY header */
    int proxy_from_count;
};

enum auth_mechanism { AUTH_PLAIN = 1, AUTH_LOGIN = 2, AUTH_CRAM_MD5 = 4, AUTH_SCRAM_SHA_256 = 8 }; /* bits */

/* What holds for a client address: `sources`, wider networks merged in already. */
struct conf_source {
    struct inet_net network; /* "any" is two: 0.0.0.0/0 and ::/0 */
    struct conf_place at;
    bool require_auth, allow_starttls, require_starttls_before_auth;
    bool always_allow_relaying;
    const struct conf_tenant *tenant; /* of a trusted source, or NULL */
    unsigned auth_mechanisms;         /* bits; those that not every password user can use are already taken out */
    int64_t max_connections, max_connections_per_ip;
    int64_t max_message_size, max_recipients;
    struct rate max_message_rate;
    int64_t max_errors, max_auth_failures;
    struct rate max_auth_failures_per_ip;
    int64_t auth_failure_delay_ms;
    bool normalise_bare_newlines; /* else refused */
    int64_t command_timeout_ms, data_timeout_ms;
    int index; /* in conf->sources: for counting connections from the whole network */
};

/* One entry of relay_addresses: an exact address (canonical domain), or a pattern. */
struct relay_address {
    const char *exact;
    const struct pattern *pattern;
    struct conf_place at;
};

/* ---------------------------------------------------------------- the rest */
struct conf_certificate {
    const char *certificate, *key; /* files */
    struct conf_place at;
};

struct conf_token {
    const char *name, *token;
};

enum accounting_event_bits { ACCOUNTING_ALL_EVENTS = -1 };

struct conf_accounting {
    const char *file;
    struct conf_place at;
    /* bit per event, in this order: accepted rejected delivered deferred bounced expired dropped path_deferred */
    unsigned events;
    const char *const *fields;  /* count 0: all */
    int field_count;
    int64_t rotate_size, rotate_every_ms, keep; /* 0: not; keep: files beside the current one */
};

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

struct conf_host {
    const char *name; /* canonical */
    const struct inet_addr *addrs;
    int addr_count;
};

/* One of the files that a configuration has read, and that a reload reads again. */
struct conf_read {
    const struct conf_read *next;
    const char *file; /* absolute */
};

struct conf {
    /* private to conf.c: the count, the arena, the indices */
    struct conf_private *private;

    const char *file;       /* the main file as typed */
    const char *folder;     /* where it lies, absolute; includes lie below it */
    const struct conf_read *reads; /* files that it names, to be read: certificates, keys, secrets, trust anchors */
    int warning_count;
    const char *const *warnings; /* "FILE:LINE:COLUMN: warning: …", from the load */

    struct {
        const char *hostname, *data_dir, *user, *postmaster; /* user "": stay */
        int64_t total_max_connections, shutdown_grace_ms;
        int64_t memory_bodies, memory_ready_recipients;
        bool sandbox_landlock, sandbox_seccomp, sandbox_core_dumps;
    } server;

    const struct conf_listener *listeners;
    int listener_count;

    const struct conf_certificate *certificates;
    int certificate_count;
    enum tls_version tls_min_version;
    const char *tls_ciphers;   /* NULL: default */
    const char *tls_client_ca; /* NULL: none */

    const struct conf_source *sources;
    int source_count;

    const char *const *relay_domains; /* canonical patterns */
    int relay_domain_count;
    const struct relay_address *relay_addresses;
    int relay_address_count;
    const struct conf_tenant *relay_tenant; /* NULL without an inbound listener */

    struct {
        int64_t group_max_messages, group_max_bytes, inline_max, min_free_space;
    } store;

    struct {
        const struct inet_endpoint *servers; /* count 0: /etc/resolv.conf */
        int server_count;
        int64_t timeout_ms;
        const struct conf_host *hosts;
        int host_count;
    } dns;

    struct settings defaults; /* every key is set, built-in values included */

    const struct conf_vmta *vmtas; /* sorted by name */
    int vmta_count;
    const struct conf_pool *pools;
    int pool_count;
    const struct conf_tenant *tenants; /* sorted by name */
    int tenant_count;
    struct domain_blocks domains;

    struct {
        const char *socket; /* absolute */
        bool has_http;
        struct inet_endpoint http;
        const struct conf_token *tokens;
        int token_count;
        const char *const *open; /* paths that need no token */
        int open_count;
    } admin;

    const struct conf_accounting *accounting;
    int accounting_count;

    int log_level; /* enum log_level */
    enum log_target log_to;
};

/* Counts references, atomically; conf_unref frees the object, its secrets overwritten. Take NULL. Any thread. */
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c);

/* NULL when there is none. Names are compared byte by byte. */
const struct conf_tenant *conf_tenant(const struct conf *c, struct slice name);
const struct conf_vmta *conf_vmta(const struct conf *c, struct slice name);
const struct conf_pool *conf_pool(const struct conf *c, struct slice name);
const struct conf_user *conf_user(const struct conf *c, struct slice name);
/* A user of method certificate, by the SHA-256 of the certificate (32 bytes) or one of its DNS names (canonical). */
const struct conf_user *conf_user_by_sha256(const struct conf *c, const uint8_t sha256[32]);
const struct conf_user *conf_user_by_dns(const struct conf *c, struct slice dns_name);
/* Never NULL: without a `sources` entry that holds the address, the strict built-in one. */
const struct conf_source *conf_source(const struct conf *c, const struct inet_addr *client);
/* Whether a stranger's recipient may be taken for relay_domains or relay_addresses. domain is canonical; address is
 * local@domain with the canonical domain, the local part as typed. A pattern that is too costly counts as no. */
bool conf_is_relay_recipient(const struct conf *c, struct slice address, struct slice domain);
/* dns.hosts, or NULL. */
const struct conf_host *conf_host(const struct conf *c, struct slice canonical_name);
/* Whether this canonical name or address is one of our own: server.hostname, a VMTA's EHLO name, a listener's or source
 * address. */
bool conf_is_own_name(const struct conf *c, struct slice canonical_name);
bool conf_is_own_listener(const struct conf *c, const struct inet_addr *addr, uint16_t port);

#endif
