/* ingest.h: the one way in: message → route → quota → store → queue. Loop thread.
 * A session asks ingest_check_mail and ingest_check_rcpt early, so that a client hears soon; what counts is ingest_message at the
 * end, which checks again and counts in one step. */
#ifndef FL_INGEST_H
#define FL_INGEST_H

#include "body.h"
#include "conf.h"
#include "envelope.h"
#include "store.h"

struct ingest;
struct event;
struct timers;

/* What ingest needs of the streams around it; the relay fills it in. All run on the loop. */
struct ingest_ports {
    struct store *store;
    struct timers *timers;
    const struct now *now;
    const struct log *log;
    struct rand *rand;                /* borrowed */
    struct body_budget *budget;
    void *arg;                        /* of the functions below */
    /* The queue of this name, made when it is new. 0 or FL_ENOMEM. ret's slices live as long as the queue has mail. */
    int (*queue_key)(void *arg, const struct conf_tenant *t, const struct conf_vmta *v, struct slice domain, struct queue_key *ret);
    /* Whether every recipient could go now and there is room in memory: fresh; otherwise the message is parked. Reserves the room. */
    bool (*may_be_fresh)(void *arg, const struct envelope *env);
    /* It is durable (rc 0), or it is not, and what was reserved is given back. */
    void (*accepted)(void *arg, struct envelope *env, bool fresh, int rc);
    /* How long mail of this queue is kept (ms). */
    int64_t (*expire_after)(void *arg, const struct queue_key *key);
    /* The name under which a job of the tenant is kept. */
    struct slice (*job_name)(void *arg, struct slice tenant, struct slice job);
    /* It took so long from the final dot to the COMMIT. */
    void (*took)(void *arg, int64_t ms);
    /* What a tenant has in the queue now: recipients and bytes of messages. */
    void (*tenant_queued)(void *arg, const struct conf_tenant *t, int64_t *ret_recipients, int64_t *ret_bytes);
    bool (*is_refused)(void *arg, const struct conf_tenant *t); /* tenant hold --refuse */
    bool (*is_draining)(void *arg);
    void (*event)(void *arg, const struct event *e);
};

/* NULL without memory. conf: one reference is taken. */
struct ingest *ingest_new(const struct ingest_ports *ports, struct conf *conf);
void ingest_set_conf(struct ingest *in, struct conf *conf);
void ingest_free(struct ingest *in);

/* A reply that refuses, or 250 with text. text is NUL-terminated, cleaned, at most 200 bytes. */
struct ingest_reply {
    int code;          /* 250, 4xx, 5xx */
    char enhanced[12]; /* "5.7.1" */
    char text[200];
};

/* Who sends, fixed for a transaction. Borrowed by the calls; the conf object is the one that the transaction began with. */
struct ingest_origin {
    struct conf *conf;
    const struct conf_source *source;
    enum listener_role role;
    const struct conf_tenant *tenant; /* of the user, the certificate, the trusted source, or relay_tenant for strangers */
    const struct conf_user *user;     /* NULL: a trusted source or a stranger */
    bool is_stranger;                 /* role inbound: relay_domains, relay_addresses and postmaster only; sender_domains and
                                         steering of the tenant do not bind it */
    struct inet_addr client;
    struct slice helo;                /* as said, cleaned by received.c */
    bool is_esmtp, is_auth;
    const char *tls_version, *tls_cipher; /* NULL: in clear */
    bool tls_verified;
};

struct ingest_rcpt {
    struct slice address;  /* local@domain as given, without brackets; "postmaster" without a domain is made postmaster@server.hostname by the caller */
    struct slice domain;   /* canonical */
    struct slice orcpt;    /* as received, or empty */
    unsigned notify;       /* enum notify_bits */
};

/* Everything of a transaction. The caller owns the memory, borrowed until done. */
struct ingest_message {
    const struct ingest_origin *origin;
    struct slice reverse_path;        /* without brackets, or empty */
    struct slice reverse_path_domain; /* canonical, or empty */
    struct slice envid;               /* decoded */
    enum dsn_ret ret;
    bool smtputf8;
    enum body_type body_type;         /* 8BIT when MAIL said so or the content has bytes above ASCII */
    const struct ingest_rcpt *rcpts;
    int rcpt_count;
    struct body *body;                /* one reference, taken: content as received, header block first, still in memory there */
    struct store_spool *spool;        /* finished, or NULL: the rest is in the body already (store_spool_finish) */
    uint64_t size;                    /* unstuffed bytes */
    bool long_lines;                  /* some are above WIRE_LINE_MAX */
    int64_t dot_ms;                   /* mono: when the final dot came, for fairlead_accept_seconds */
};

/* May this reverse-path send? Drain, refused tenants, store health, sender domains, accept rates, quotas. true: go on. */
bool ingest_check_mail(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice domain,
                       int64_t declared_size, struct ingest_reply *ret);
/* May mail for this recipient be taken? Address literals (5.1.2), strangers' recipients, quotas. Counts nothing. */
bool ingest_check_rcpt(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, const struct ingest_rcpt *rcpt,
                       struct ingest_reply *ret);

typedef void ingest_done(void *arg, const struct ingest_reply *reply);

/* Takes the message in: scans the header, checks From:, routes, counts, adds Received: and what is missing, makes it durable.
 * done runs once, later or before this returns; "250 2.0.0 Ok: queued as ID" only after COMMIT. Takes m->body. */
void ingest_message(struct ingest *in, const struct ingest_message *m, ingest_done *done, void *arg);
/* The session is gone: done will not be called; the message itself goes its way (what is committed is delivered). */
void ingest_forget(struct ingest *in, void *arg);
/* Counts and reports a refusal that the session itself decided (auth, syntax limits, size): event `rejected`. reason: a short
 * stable word for fairlead_submissions_rejected_total{reason}. */
void ingest_rejected(struct ingest *in, const struct ingest_origin *o, struct slice reverse_path, struct slice rcpt,
                     const char *reason, const struct ingest_reply *reply);

/* Whether clients must wait (bodies in memory above server.memory.bodies): sessions pause reading while it is
 * true and ask again each 20 ms. */
bool ingest_must_wait(const struct ingest *in);
/* From how many bytes in memory on a session shall spool to disk: 1 MiB, less while memory is short. */
int64_t ingest_spool_after(const struct ingest *in);

#endif
