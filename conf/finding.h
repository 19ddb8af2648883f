/* finding.h: what is wrong or doubtful in a configuration: a place and a sentence, one for each.
 * Pure; one thread. */
#ifndef FL_FINDING_H
#define FL_FINDING_H

#include "buf.h"
#include "conf.h"

enum { FINDINGS_MAX = 1000 }; /* of errors, and of warnings; more are told as one last line each */

/* One error or warning, in the order of files and lines. */
struct conf_finding {
    struct conf_place at;
    bool is_warning;
    const char *text; /* what was found, what is allowed */
};

struct conf_findings {
    struct conf_finding *items;
    int count, errors;
    bool lost; /* memory was short: there would be more */
};

void conf_findings_free(struct conf_findings *f);
/* "FILE:LINE:COLUMN: error: text\n" */
int conf_finding_text(const struct conf_finding *f, struct buf *out);

/* For the parts of the loader. Both take NULL as place: the whole file. When memory is short, ->lost is set. */
void finding_error(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void finding_warning(struct conf_findings *f, const struct conf_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sorts by file (main_file first), line and column, and drops what was said twice. */
void findings_sort(struct conf_findings *f, const char *main_file);

#endif
