/* scenery.h: what random worlds are made of: three customers who share VMTAs, domains with their hosts, the moods of these, and the
 * configurations that come and go. */
#ifndef FL_SCENERY_H
#define FL_SCENERY_H

#include "remote.h"
#include "world.h"

enum { SCENE_DOMAINS = 6, SCENE_SENDERS = 3, SCENERY_CONFS = 3 };

struct scene_domain {
    const char *name;
    int site;
};

struct scene_sender {
    const char *tenant, *domain;
};

extern const struct scene_domain scene_domains[SCENE_DOMAINS];
extern const struct scene_sender scene_senders[SCENE_SENDERS];

/* Once a process. */
void scenery_load(void);
void scenery_unload(void);
/* 0: with everything; borrowed until the end. */
struct conf *scenery_conf(int i);

/* All hosts and names. */
void scenery_hosts(struct world *w);
/* The host is in another mood. */
void scenery_new_mood(struct world *w, struct remote *r);
/* All hosts take everything. */
void scenery_calm(struct world *w);

#endif
