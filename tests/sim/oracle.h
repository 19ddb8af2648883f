/* oracle.h: keeps the books of a played world and says when a promise is broken: what was accepted, what hosts decided, what
 * the relay said about it. Tests submit through it, so that it knows what was handed in.
 *
 * Addresses carry the identity: recipient k of message n is m<n>r<k>@domain, its sender s<n>@domain of the tenant. */
#ifndef FL_ORACLE_H
#define FL_ORACLE_H

#include "event.h"
#include "resolver.h"
#include "world.h"

struct oracle *oracle_new(struct world *w);
void oracle_free(struct oracle *o);

/* ---------------------------------------------------------------- by tests */
struct submission {
    const char *tenant, *sender_domain;
    const char *domains[8];  /* one recipient each */
    int count;
    const char *job;         /* or NULL */
    int length;              /* bytes of content beside the header */
};

/* Hands a message in. Returns its number. */
int oracle_submit(struct oracle *o, const struct submission *s);
/* Recipients that were accepted and have not ended; and how many ended in this way. */
int oracle_live(const struct oracle *o);
int oracle_ended(const struct oracle *o, enum event_kind kind);
/* An operator's drop may end any recipient from now on. */
void oracle_may_drop(struct oracle *o);
/* A hold that was asked for then (mono) was answered; a release is asked for. domain, job: NULL: any. */
void oracle_held(struct oracle *o, const char *tenant, const char *domain, const char *job, int64_t asked_ms);
void oracle_released(struct oracle *o, const char *tenant, const char *domain, const char *job);
/* All mail but this tenant's, and but another's to one domain, is delivered within so long. */
void oracle_judge_waits(struct oracle *o, const char *but_tenant, const char *or_tenant, const char *or_domain, int64_t within_ms);
/* Everything has ended: each recipient once, and its sender was told where it did not arrive. */
void oracle_all_ended(struct oracle *o);
/* What the relay counts is what is there. */
void oracle_audit(struct oracle *o);

/* ---------------------------------------------------------------- by the world */
void oracle_event(struct oracle *o, const struct event *e);
/* The store was opened, the relay not yet: looks at all that is in it. */
void oracle_recovered(struct oracle *o);
void oracle_crashed(struct oracle *o);
/* Nothing is on its way to the disk any more. */
void oracle_all_durable(struct oracle *o);
void oracle_reloaded(struct oracle *o);
void oracle_clock_stepped(struct oracle *o);
void oracle_connected(struct oracle *o, const struct inet_addr *source, const struct inet_addr *dest);

/* A name server answered a question for mail exchangers; instead: the odd one that it gave, or NULL. */
void oracle_dns(struct oracle *o, const char *domain, enum dns_result result, const char *instead);

/* ---------------------------------------------------------------- by hosts */
struct remote;
void oracle_mail(struct oracle *o, const struct remote *r, const struct inet_addr *source, const char *ehlo, const char *from,
                 const char *login);
/* sent_ms: when its MAIL left the relay (mono); orphan: a relay that is dead by now. */
void oracle_rcpt(struct oracle *o, const struct remote *r, const struct inet_addr *source, const char *from, const char *rcpt,
                 int64_t sent_ms, bool orphan);
/* MAIL from this address was refused; certain: in a reply that the relay had to understand. */
void oracle_mail_refused(struct oracle *o, const char *from, bool certain);
void oracle_content(struct oracle *o, const struct remote *r, const char *rcpt, struct slice content);
int64_t oracle_first_seen(struct oracle *o, const char *rcpt); /* mono */
/* It said more than it was asked, so that the relay takes one reply for another: nothing can be held against it here. */
void oracle_lied(struct oracle *o, const char *rcpt);
/* Taken (orphan: from a relay that is dead by now); the relay heard of it (certain: in a reply that it had to understand), or
 * never will. */
void oracle_yes(struct oracle *o, const char *rcpt, bool orphan);
void oracle_yes_heard(struct oracle *o, const char *rcpt, bool certain);
void oracle_yes_lost(struct oracle *o, const char *rcpt);
/* Refused for good; or for now, and the relay has heard it. */
void oracle_no(struct oracle *o, const char *rcpt);
void oracle_later_heard(struct oracle *o, const char *rcpt, const struct inet_addr *source);

#endif
