/* diff.h: what a reload changes. Pure; any thread; its cost is that of the changed parts, found by fingerprint, so that one
 * tenant changed among 10,000 costs as one. */
#ifndef FL_DIFF_H
#define FL_DIFF_H

#include "conf.h"

struct conf_diff {
    /* indices into the new (added, changed) or the old object (removed); owned, conf_diff_free */
    int *tenants_removed, *tenants_changed, *tenants_added;
    int tenants_removed_count, tenants_changed_count, tenants_added_count;
    int *vmtas_removed, *vmtas_changed, *vmtas_added;
    int vmtas_removed_count, vmtas_changed_count, vmtas_added_count;
    int *listeners_removed, *listeners_added; /* by endpoint */
    int listeners_removed_count, listeners_added_count;
    bool settings_changed; /* defaults or domains: every queue resolves its policy anew */
    bool certificates_changed, admin_changed, accounting_changed, log_changed, dns_changed, store_changed, sources_changed;
    bool server_changed; /* host name, bounds, data_dir, user: the last two take a restart */
};

int conf_diff(const struct conf *before, const struct conf *after, struct conf_diff *ret);
void conf_diff_free(struct conf_diff *d);

#endif
