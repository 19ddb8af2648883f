/* finding.h: how the parts of the loader say what is wrong or doubtful: a place and a sentence.
 * Pure; one thread. The list is struct conf_findings of load.h; a finding owns its texts. */
#ifndef FL_FINDING_H
#define FL_FINDING_H

#include "load.h"

enum { FINDINGS_MAX = 1000 }; /* of errors, and of warnings; more are counted in one last line each */

/* Both take NULL as place: the whole file. When memory is short, findings->lost is set and the load ends as FL_ENOMEM. */
void finding_error(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void finding_warning(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sorts by file (main_file first), line and column, and drops what was said twice. */
void findings_sort(struct conf_findings *f, const char *main_file);

#endif
