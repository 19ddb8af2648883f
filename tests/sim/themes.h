/* themes.h: random worlds in which little goes wrong, so that much can be asked of the rest. */
#ifndef FL_THEMES_H
#define FL_THEMES_H

#include "world.h"

enum { THEME_NEIGHBOURS, THEME_CROWD, THEMES };

/* Once a process. */
void themes_load(void);
void themes_unload(void);
struct conf *theme_conf(int theme); /* borrowed */

/* Somebody's sender, login, TLS policy or recipients are refused, somebody is held, and hosts take no further connections: the others'
 * mail goes at once all the same. */
void theme_neighbours(struct world *w);
/* All hand in more than a site takes: each gets its share. */
void theme_crowd(struct world *w);

#endif
