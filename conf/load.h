/* load.h: files → struct conf, all in order: YAML, schema, values, checks across parts.
 * Reads files, so it belongs on a thread that may wait (libuv's pool, or main before the loop runs). */
#ifndef FL_LOAD_H
#define FL_LOAD_H

#include "buf.h"
#include "conf.h"
#include "err.h"
#include "finding.h"

/* Loads the file and all that it includes. 0 and *ret (one reference, given), or FL_EINVAL when there are errors; the
 * findings (errors and warnings, all of them) are set in both cases and freed with conf_findings_free. Other codes: out of
 * memory, or the main file cannot be read (also a finding). generation-independent: two loads of the same files give equal
 * objects. */
int conf_load(const char *file, struct conf **ret, struct conf_findings *findings);
/* admin.socket of a configuration that may be wrong in other parts (for the client commands). FL_ENOENT when it is not said. */
int conf_load_socket(const char *file, struct buf *ret_path);

#endif
