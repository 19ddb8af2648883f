/* session_peer.c: see session_peer.h. */
#include "session_peer.h"

#include <stdio.h>

static bool is_trusted(const struct session_peer *p)
{
    return p->role != ROLE_INBOUND && p->source->always_allow_relaying && p->source->tenant && !p->source->require_auth;
}

static enum smtp_access access_of(const struct session_peer *p)
{
    if (p->role == ROLE_INBOUND || is_trusted(p))
        return SMTP_ACCESS_OPEN;
    if (p->role == ROLE_SUBMISSION || p->source->always_allow_relaying)
        return SMTP_ACCESS_LOGIN;
    return SMTP_ACCESS_NONE;
}

static unsigned mechanisms_of(const struct session_peer *p)
{
    unsigned m = p->source->auth_mechanisms;

    if (p->role != ROLE_SUBMISSION && access_of(p) != SMTP_ACCESS_LOGIN)
        return 0;
    return (m & AUTH_PLAIN ? 1u << SASL_PLAIN : 0) | (m & AUTH_LOGIN ? 1u << SASL_LOGIN : 0) |
           (m & AUTH_CRAM_MD5 ? 1u << SASL_CRAM_MD5 : 0) | (m & AUTH_SCRAM_SHA_256 ? 1u << SASL_SCRAM_SHA_256 : 0);
}

static const struct conf_tenant *tenant_of(const struct session_peer *p)
{
    if (p->role == ROLE_INBOUND)
        return p->conf->relay_tenant;
    if (p->user)
        return p->user->tenant;
    return is_trusted(p) ? p->source->tenant : NULL;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

struct smtp_server_options session_peer_options(const struct session_peer *p)
{
    const struct conf_source *from = p->source;
    const struct conf_tenant *t = tenant_of(p);

    return (struct smtp_server_options){
        .hostname = slice_of(p->conf->server.hostname),
        .access = access_of(p),
        .offer_tls = p->tls == LISTENER_TLS_STARTTLS && from->allow_starttls && p->has_certificate,
        .require_tls_before_auth = from->require_starttls_before_auth,
        .mechanisms = mechanisms_of(p),
        .max_size = smaller(from->max_message_size, t ? t->max_message_size : INT64_MAX),
        .max_rcpts = smaller(from->max_recipients, t ? t->max_recipients : INT64_MAX),
        .max_errors = from->max_errors,
        .max_auth_failures = from->max_auth_failures,
        .auth_failure_delay_ms = from->auth_failure_delay_ms,
        .command_timeout_ms = from->command_timeout_ms,
        .data_timeout_ms = from->data_timeout_ms,
        .normalise_newlines = from->normalise_bare_newlines,
        .distrust = p->role == ROLE_INBOUND,
    };
}

bool session_peer_may_send(const struct session_peer *p)
{
    enum smtp_access access = access_of(p);

    return tenant_of(p) && (access == SMTP_ACCESS_OPEN || (access == SMTP_ACCESS_LOGIN && p->user));
}

struct ingest_origin session_peer_origin(const struct session_peer *p, const struct smtp_server *s)
{
    return (struct ingest_origin){
        .conf = p->conf,
        .source = p->source,
        .role = p->role,
        .tenant = tenant_of(p),
        .user = p->user,
        .is_stranger = p->role == ROLE_INBOUND,
        .client = p->client,
        .helo = smtp_server_helo(s),
        .is_esmtp = smtp_server_is_esmtp(s),
        .is_auth = p->user != NULL,
        .tls_version = p->has_tls ? p->tls_version : NULL,
        .tls_cipher = p->has_tls ? p->tls_cipher : NULL,
        .tls_verified = p->by_certificate,
    };
}

/* The same user in another configuration, or NULL. */
static const struct conf_user *same_user(const struct conf *conf, const struct conf_user *old)
{
    const struct conf_user *u = conf_user(conf, slice_of(old->name));

    return u && u->method == old->method && strcmp(u->tenant->name, old->tenant->name) == 0 ? u : NULL;
}

bool session_peer_take_conf(struct session_peer *p, struct conf *conf)
{
    const struct conf_user *user = p->user ? same_user(conf, p->user) : NULL;

    if (p->user && !user)
        return false;
    conf_ref(conf);
    conf_unref(p->conf);
    p->conf = conf;
    p->source = conf_source(conf, &p->client);
    p->user = user;
    return true;
}

/* The user that a client certificate names: by its fingerprint, or by a name that a trusted authority vouches for. */
static const struct conf_user *user_of_certificate(const struct session_peer *p, const struct stream_tls_info *info)
{
    const struct conf_user *u = NULL;

    if (p->role != ROLE_SUBMISSION || !info->has_peer_certificate)
        return NULL;
    u = conf_user_by_sha256(p->conf, info->peer_sha256);
    for (int i = 0; !u && info->peer_trusted && i < info->peer_dns_count; i++)
        u = conf_user_by_dns(p->conf, slice_of(info->peer_dns[i]));
    return u;
}

void session_peer_take_tls(struct session_peer *p, const struct stream_tls_info *info)
{
    p->has_tls = true;
    snprintf(p->tls_version, sizeof p->tls_version, "%s", info->version);
    snprintf(p->tls_cipher, sizeof p->tls_cipher, "%s", info->cipher);
    p->user = user_of_certificate(p, info);
    p->by_certificate = p->user != NULL;
}

void session_peer_release(struct session_peer *p)
{
    conf_unref(p->conf);
    p->conf = NULL;
}
