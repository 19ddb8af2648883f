/* sink_moods.h: a file of moods (YAML) into a script. Reads the file; main thread, before the sink listens. */
#ifndef FL_SINK_MOODS_H
#define FL_SINK_MOODS_H

#include "load.h"
#include "sink_script.h"

enum { SINK_MOODS_FILE_MAX = 1024 * 1024 };

/* 0 and the rules in *ret (freed with sink_script_free), or FL_EINVAL and the findings, all of them; FL_ENOMEM. The caller frees
 * the findings with conf_findings_free in any case. */
int sink_moods_read(const char *file, struct sink_script *ret, struct conf_findings *findings);

#endif
