/* conf_desk.h: what the tests of the loader share: files in a folder of their own, loaded, and what was found in them.
 * One thread. */
#ifndef FL_CONF_DESK_H
#define FL_CONF_DESK_H

#include "load.h"

struct conf_desk {
    char folder[64];
    struct conf *conf; /* of the last load; NULL when it failed */
    struct conf_findings findings;
};

void conf_desk_open(struct conf_desk *d);
/* Removes the folder. */
void conf_desk_close(struct conf_desk *d);
/* Writes FOLDER/name with mode 0600, making one folder for it if need be. "~/" in the text becomes the folder. */
void conf_desk_write(struct conf_desk *d, const char *name, const char *text);
/* Loads FOLDER/main.yaml; what was loaded before is given back. */
int conf_desk_load(struct conf_desk *d);
/* The same after writing main.yaml. */
int conf_desk_try(struct conf_desk *d, const char *text);
/* Whether a finding of that level stands at FILE:line (file: the end of its name) and its text holds all of the words ('|' between). */
bool conf_desk_found(const struct conf_desk *d, bool is_warning, const char *file, int line, const char *words);

#endif
